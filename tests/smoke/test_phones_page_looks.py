"""How the page of phones looks and feels, with a carrier and no town behind it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Locator, Page, async_playwright, expect

from tests.smoke.test_phones_page import FLAGS
from tests.support.fake_twilio import CarrierSettings, FakeCarrier
from tests.support.fake_twilio.checks import MessageOrder

pytestmark = [pytest.mark.smoke, pytest.mark.timeout(120)]

ANA = "+50370000001"
TOWN_HALL = "+50370000000"
LIVE = "Villa Esperanza Accion: Rio Claro 3.02 m. Responda SI 1900 para enviarlo, NO 1900 o PASO 1900."
DRILL = f"SIMULACRO (ENSAYO) {LIVE} FIN DE SIMULACRO"
STALE_WITHIN_MS = 14_000
HOLD_MS = 1200


@pytest.fixture
async def carrier() -> FakeCarrier:
    return FakeCarrier(CarrierSettings(segments_per_s=1000, deliver_s=0.01))


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail("no Chromium; make packages-test installs it")
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=path, args=FLAGS)
        yield await browser.new_page()
        await browser.close()


def text(carrier: FakeCarrier, words: str, phone: str = ANA) -> None:
    carrier.texting.accept(MessageOrder(phone, TOWN_HALL, None, words, None, 3600))


def answers(carrier: FakeCarrier) -> list[str]:
    return [entry["words"] for entry in carrier.ledger.entries if entry["kind"] == "answer"]


def phone(page: Page) -> Locator:
    return page.get_by_role("article", name="Teléfono 0001")


async def test_a_drill_has_other_words_and_another_gesture(carrier: FakeCarrier, page: Page) -> None:
    """A press sends nothing in a drill; holding does. A live text takes the drill's buttons away."""
    async with carrier.serving() as url:
        text(carrier, DRILL)
        await page.goto(f"{url}/phones")
        await expect(page.locator("#band")).to_contain_text("SIMULACRO (ENSAYO)")
        yes = phone(page).get_by_role("button", name="Mantener: SI 1900")
        await yes.click()
        assert [] == answers(carrier)
        await yes.click(delay=HOLD_MS)
        await expect(phone(page).locator(".out")).to_contain_text("SI 1900")
        text(carrier, LIVE)
        await expect(page.locator("#band")).to_contain_text("EN VIVO")
        await expect(yes).to_be_hidden()
        await expect(phone(page).get_by_role("button", name="SI 1900", exact=True)).to_be_visible()


async def test_it_can_be_used_with_keys_alone(carrier: FakeCarrier, page: Page) -> None:
    """Focus and Enter answer; what was typed and not sent survives a reload."""
    async with carrier.serving() as url:
        text(carrier, LIVE)
        await page.goto(f"{url}/phones")
        await phone(page).get_by_role("textbox").fill("Vamos en")
        await page.reload()
        await expect(phone(page).get_by_role("textbox")).to_have_value("Vamos en")
        await phone(page).get_by_role("button", name="SI 1900").focus()
        await page.keyboard.press("Enter")
        await expect(phone(page).locator(".out")).to_contain_text("SI 1900")
    assert ["SI 1900"] == answers(carrier)


async def test_a_broken_stream_is_seen(carrier: FakeCarrier, page: Page) -> None:
    """Ten seconds without a word from the carrier, and the page says that it knows nothing new."""
    async with carrier.serving() as url:
        await page.goto(f"{url}/phones")
        await expect(page.locator("#band")).to_contain_text("EN VIVO")
        await expect(page.locator("#stale")).to_be_hidden()
    await expect(page.locator("#stale")).to_contain_text("Sin señal", timeout=STALE_WITHIN_MS)


@pytest.mark.parametrize("width", [390, 768, 1280, 1600])
async def test_it_fits_the_screen(carrier: FakeCarrier, page: Page, width: int) -> None:
    """Nothing has to be moved sideways, and an unknown level is neither zero nor green."""
    await page.set_viewport_size({"width": width, "height": 844})
    async with carrier.serving() as url:
        for number in range(1, 9):
            text(carrier, LIVE, f"+5037000000{number}")
        await page.goto(f"{url}/phones")
        await expect(page.locator(".phone")).to_have_count(8)
        sizes = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        await expect(page.locator("#level")).to_have_text("desconocido")
    assert sizes[0] <= sizes[1]


async def test_a_hostile_text_is_only_words(carrier: FakeCarrier, page: Page) -> None:
    """What somebody writes into a text is shown, never run."""
    hostile = '<img src=x onerror="document.title=1"> Responda SI 1900'
    async with carrier.serving() as url:
        text(carrier, hostile)
        await page.goto(f"{url}/phones")
        await expect(phone(page)).to_contain_text("<img src=x")
        assert 0 == await page.locator(".bubbles img").count()


async def test_a_phone_that_is_switched_off_neither_rings_nor_reads(carrier: FakeCarrier, page: Page) -> None:
    """The switch is the carrier's: the text is undelivered, and the page says why."""
    async with carrier.serving() as url:
        text(carrier, LIVE)
        await page.goto(f"{url}/phones")
        await phone(page).get_by_role("switch").click()
        await expect(phone(page).get_by_role("switch")).to_have_text("Apagado")
        text(carrier, "Otro texto")
        await expect(phone(page)).to_contain_text("Un mensaje no llegó: teléfono apagado")
