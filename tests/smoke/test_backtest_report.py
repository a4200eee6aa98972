"""The report of a backtest in a real browser: it opens from a disk, asks for nothing, and fits a phone."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from municipio.cli import run as municipio
from tests.smoke.test_phones_page import FLAGS
from tests.support.towns import write_town

pytestmark = pytest.mark.smoke


def test_report_opens_from_a_disk(tmp_path: Path) -> None:
    """One file is all that it takes; its details open; nothing runs out of a narrow screen."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail("no Chromium; make packages-test installs it")
    page_file = written(tmp_path)
    asked: list[str] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page(viewport={"width": 380, "height": 800})
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda said: asked.append(said.text))
        page.goto(page_file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.locator("summary", has_text="Mensajes").click()
        assert page.locator("td", has_text="ALCALDIA DE VILLA").first.is_visible()
        box = page.locator("svg").bounding_box()
        browser.close()
    assert [page_file.as_uri()] == asked
    assert box is not None
    assert box["height"] > 80


def written(folder: Path) -> Path:
    town = write_town(folder, "villa", zones=1, residents_per_zone=1)
    begin = datetime(2026, 5, 1, 6, 0, tzinfo=UTC)
    times = [(begin + timedelta(minutes=15 * step)).isoformat() for step in range(60)]
    rows = [f"{at},g-001,river_level,{3.7 if step > 40 else 2.0},m" for step, at in enumerate(times)]
    path = folder / "a.csv"
    path.write_text("\n".join(["observed_at,sensor_id,property,value,unit", *rows]) + "\n")
    out = folder / "informe.html"
    assert 0 == municipio(["backtest", str(path), "--municipality", str(town.folder), "--html", str(out)])
    return out
