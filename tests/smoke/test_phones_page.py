"""A person drives the page of phones through a night: nothing but what a browser shows and clicks."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.smoke.test_up import STOPPED_WITHIN_S, belonging_to, environment, free_base

pytestmark = [pytest.mark.smoke, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
PATIENCE_MS = 60_000  # of somebody whose machine does other things too
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def municipio(*words: str) -> list[str]:
    return [sys.executable, "-c", "from municipio.cli import main; main()", *words]


@contextmanager
def watched_town(data: Path) -> Iterator[tuple[str, float]]:
    """`municipio up --demo`: the first line it prints, and when it was started."""
    began_s = time.monotonic()
    words = municipio("up", "--demo", "--data", str(data), "--base-port", str(free_base()))
    with (data.parent / "up.log").open("w+") as log:
        process = subprocess.Popen(words, cwd=ROOT, env=environment(), stdout=log, stderr=log, text=True)
        try:
            yield first_line(process, data.parent / "up.log"), began_s
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(STOPPED_WITHIN_S)


def first_line(process: subprocess.Popen[str], log: Path) -> str:
    until_s = time.monotonic() + 150
    while "\n" not in (said := log.read_text()):
        assert process.poll() is None, said
        assert time.monotonic() < until_s, said
        time.sleep(0.1)
    return said.splitlines()[0]


@pytest.fixture
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail("no Chromium; make packages-test installs it")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Person:
    """Somebody with all phones of the town on the table."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.set_default_timeout(PATIENCE_MS)

    def phone(self, name: str) -> Locator:
        return self.page.get_by_role("article", name=name, exact=True)

    def sees(self, where: Locator, words: str) -> Locator:
        found = where.get_by_text(words).last
        expect(found).to_be_visible(timeout=PATIENCE_MS)
        return found

    def presses(self, where: Locator, name: str) -> None:
        where.get_by_role("button", name=name).last.click()

    def shot(self, name: str) -> None:
        """Keep a picture where somebody asked for them."""
        if folder := os.environ.get("SHOTS"):
            self.page.screenshot(path=f"{folder}/{name}.png")


def test_a_person_plays_the_night_on_the_page_of_phones(tmp_path: Path, browser: Browser) -> None:
    """Page ignored, call, press 1, authorise by code, residents' phones, brigade, lift."""
    data = tmp_path / "copy"
    with watched_town(data) as (url, began_s):
        person = Person(browser.new_page(viewport={"width": 1280, "height": 900}))
        person.page.goto(url)
        coordinator = person.phone("Coordinación 1")
        a_page_is_ignored_until_it_rings(person, coordinator)
        rang_after_s = time.monotonic() - began_s
        the_call_is_answered(person, coordinator)
        the_warning_is_authorised_by_code(person, coordinator)
        residents_are_told(person, "Salga YA")
        a_brigade_goes(person, person.phone("Brigada Norte"))
        somebody_lifts_the_warning(data)
        residents_are_told(person, "termina el aviso")
        person.shot("end")
        assert [] == person.errors
    print(f"the first call rang {rang_after_s:.1f} s after the command")
    assert [] == belonging_to(data)


def a_page_is_ignored_until_it_rings(person: Person, phone: Locator) -> None:
    expect(phone.get_by_text("Accion").last).to_be_visible(timeout=2 * PATIENCE_MS)
    expect(person.page.locator("#level")).to_contain_text("Nivel 3 · Acción", timeout=PATIENCE_MS)
    expect(phone.get_by_role("button", name="Contestar")).to_be_visible(timeout=PATIENCE_MS)
    expect(person.page.locator("#now")).to_contain_text("Coordinación 1")
    person.shot("ringing")


def the_call_is_answered(person: Person, phone: Locator) -> None:
    person.presses(phone, "Contestar")
    person.sees(phone.locator(".transcript"), "Marque 1")
    person.shot("talking")
    phone.get_by_role("button", name="Tecla 1").click()
    phone.get_by_role("button", name="Tecla #").click()
    person.sees(phone, "Gracias")
    expect(phone.locator(".call")).to_be_hidden(timeout=PATIENCE_MS)
    person.sees(phone, "Marcó 1")


def the_warning_is_authorised_by_code(person: Person, phone: Locator) -> None:
    person.presses(phone, "SI ")
    person.sees(phone, "recibido por la alcaldía")
    person.sees(phone, "aviso autorizado")


def residents_are_told(person: Person, words: str) -> None:
    tiles = person.page.locator("section", has_text="Vecinos · La Vega").locator(".tile", has_text=words)
    expect(tiles).to_have_count(16, timeout=PATIENCE_MS)
    person.shot("residents")
    tiles.first.click()
    person.sees(person.page.locator("#hand"), words)
    person.page.keyboard.press("Escape")


def a_brigade_goes(person: Person, phone: Locator) -> None:
    """By the words that its text offers: that it goes, that it is there, that it is done."""
    for word, said in (("VOY ", "Anotado: van 6"), ("LLEGUE ", "en el lugar"), ("LISTO ", "terminada")):
        person.presses(phone, word)
        person.sees(phone, said)
    person.shot("brigade")


def somebody_lifts_the_warning(data: Path) -> None:
    told = {**environment(), "MUNICIPIO_OPERATOR_KEY_FILE": str(data / "keys" / "operators" / "ana.pem")}
    incidents = json.loads(municipio_says(told, "incidents", "list", "--json", "--data", str(data)))["items"]
    gravest = max(incidents, key=lambda incident: incident["level"])
    decided = ("decide", gravest["incident_id"], "lift", "--reason", "El río bajó", "--data", str(data))
    municipio_says(told, *decided)


def municipio_says(told: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        municipio(*words), cwd=ROOT, env=told, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
