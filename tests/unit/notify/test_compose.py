"""What people on duty read: what is asked, with which code, and what happens if nobody answers."""

from __future__ import annotations

from schemas.events.base import Reason
from schemas.vocabulary import Channel, IncidentKind
from services.notify.domain import compose
from tests.unit.notify.domain_rig import CATALOGUES, NOW, town
from tests.unit.notify.flow_rig import snapshot

ES = CATALOGUES["es"]


def test_page_names_level_cause_place_and_code() -> None:
    text = compose.page(town(), snapshot(NOW, level=2), "4712", ES)
    assert text.startswith("Villa Alta Preparación: Rio Claro 3.11 m en Zona 001.")
    assert "OK 4712" in text
    assert "PASO 4712" in text


def test_silence_says_that_it_is_no_calm() -> None:
    text = compose.page(town(), snapshot(NOW, level=1, kind=IncidentKind.NO_DATA, site="s-001"), "4712", ES)
    assert "s-001 dejó de reportar" in text
    assert "3.11 m a las 02:45" in text


def test_blocked_warning_says_why() -> None:
    why = Reason(code="lint.missing_action", text="Al texto le falta decir qué hacer.")
    assert "NO salió: Al texto le falta" in compose.page(town(), snapshot(NOW), "4712", ES, (why,))


def test_reason_stands_behind_the_text() -> None:
    why = Reason(code="x", text="1 de 2 sitios lo confirman.")
    assert compose.with_reasons("Texto.", (why,), ES) == "Texto. 1 de 2 sitios lo confirman."


def test_call_says_what_to_press_and_never_what_to_write() -> None:
    """Spoken words keep their accents; the code is said digit by digit."""
    page = compose.page(town(), snapshot(NOW, level=2), "4712", ES, channel=Channel.VOICE)
    paged = compose.for_channel(page, Channel.VOICE, code="4712", asks=False, exercise_id=None, catalogue=ES)
    asked = compose.for_channel(
        "Texto.", Channel.VOICE, code="4712", asks=True, exercise_id=None, catalogue=ES
    )
    assert "Responda" not in paged
    assert "Preparación" in paged
    assert "Marque 1 para confirmar que oyó" in paged
    assert "marque su código: 4, 7, 1, 2." in asked
