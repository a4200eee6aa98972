"""The report of a backtest: one page that needs nothing beside itself."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from municipio.backtest.chart import COLOURS, Drawing, Mark, Note, Span, svg
from municipio.backtest.series import Envelope
from municipio.cli import run as municipio
from tests.support.towns import write_town

START = datetime(2026, 5, 1, 6, 0, tzinfo=UTC)
STEP = timedelta(minutes=15)


@pytest.fixture
def page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """A flood, and a silence of six hours behind it; the second gauge says nothing at all."""
    folder = write_town(tmp_path, "villa", zones=2, residents_per_zone=1).folder
    values = {step: 3.7 if 20 <= step < 30 else 2.0 for step in range(120) if not 60 <= step < 84}
    rows = [f"{(START + STEP * step).isoformat()},g-001,river_level,{v},m" for step, v in values.items()]
    path = tmp_path / "a&b.csv"
    path.write_text("\n".join(["observed_at,sensor_id,property,value,unit", *rows]) + "\n")
    out = tmp_path / "informe.html"
    words = ("--reference", "g-001=3.0", "--html", str(out))
    assert 0 == municipio(["backtest", "--municipality", str(folder), str(path), *words])
    capsys.readouterr()
    return out.read_text(encoding="utf-8")


def test_page_is_self_contained_and_in_spanish(page: str) -> None:
    """No script, no address, nothing to fetch; what is not ours is escaped."""
    assert not re.search(r"<script|<link|src=|href=|url\((?!#)|@import", page)
    assert '<html lang="es">' in page
    assert "a&amp;b.csv" in page


def test_page_shows_a_chart_per_gauge_that_spoke(page: str) -> None:
    """Values, thresholds, verdicts, the silence, messages and what happened."""
    assert 1 == page.count("<svg")
    assert 1 == page.count('class="silence"')
    assert 3 == page.count('class="mark"')
    assert "Sin dato desde 01/05/2026 14:45" in page
    assert "Impacto desde 01/05/2026 05:00" in page
    assert "<title>g-001 &gt;= 3</title>" in page
    assert "Aciertos por umbral" in page
    assert "1,00</td><td>0,00" in page


def drawing(**more: object) -> Drawing:
    low = np.array([2.0, 2.1, np.nan, np.nan, np.nan, 2.2])
    shown = Envelope(START, STEP, low, low + 0.1)
    words = {"name": "g-001", "unit": "m", "begins_at": START, "ends_at": START + 6 * STEP, "zone": UTC}
    return Drawing(**{**words, "every": STEP, "envelope": shown, **more})  # type: ignore[arg-type] # by name


def test_a_gap_is_never_drawn_as_if_something_had_been_read() -> None:
    """Two lines, one on each side of it."""
    assert 2 == svg(drawing()).count('class="values"')


def test_hostile_words_stay_words() -> None:
    """Also in what shows when a pointer rests on it."""
    bad = "</title><script>alert(1)</script>"
    drawn = svg(
        drawing(
            name=bad,
            marks=[Mark(2, 2.5, bad)],
            verdicts=[Span(START, START + STEP, bad, 2)],
            silences=[Span(START, START + STEP, bad)],
            messages=[Note(START, 3, bad)],
            events=[Span(START, START + STEP, bad)],
        )
    )
    assert "<script" not in drawn
    assert 6 == drawn.count("&lt;script&gt;alert(1)&lt;/script&gt;")


def test_labels_of_marks_close_together_do_not_cover_each_other() -> None:
    """3.00 and 3.05 m stand on different lines."""
    drawn = svg(drawing(marks=[Mark(2, 3.0, "Preparación"), Mark(3, 3.05, "Acción")]))
    at = sorted(float(y) for y in re.findall(r'class="label" x="\d+" y="([\d.]+)"', drawn))
    assert 2 == len(at)
    assert at[1] - at[0] >= 12


def test_a_town_that_heard_nothing_has_a_page_too() -> None:
    """An empty picture, and every level has a colour."""
    assert 'class="values"' not in svg(drawing(envelope=None))
    assert 5 == len(set(COLOURS))
