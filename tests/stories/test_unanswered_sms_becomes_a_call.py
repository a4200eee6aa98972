"""A coordinator who does not answer a text is called, and then the next person is woken."""

from collections.abc import Callable
from pathlib import Path

from tests.stories.scenes import flood
from tests.support.town import Town


def test_unanswered_sms_becomes_a_call(town: Town) -> None:
    """Two minutes of silence become a call; a key pressed in it ends the page."""
    town.gauge("g-001").reads(2.6)
    ana = town.phone("ana")
    ana.expects_sms("flood", "OK").stays_silent()
    town.wait(minutes=2)
    ana.expects_call("flood", "Marque 1").presses("1")
    town.wait(minutes=60)


def test_answer_by_sms_ends_the_page(town: Town) -> None:
    """An OK with its code is an acknowledgement: nobody is called."""
    town.gauge("g-001").reads(2.6)
    town.phone("ana").expects_sms("flood").replies("ok {code}")
    town.wait(minutes=60)


def test_everybody_silent_wakes_everybody(write: Callable[..., Path], start: Callable[..., Town]) -> None:
    """Where no resolution lets the warning out, silence goes from person to person, text and call."""
    town = start(write(safe_release=False))
    flood(town).stays_silent()
    town.wait(minutes=2)
    town.phone("ana").expects_call("flood").stays_silent()
    town.wait(minutes=3)
    beto = town.phone("beto")
    beto.expects_sms("authority", "Sin respuesta no sale").stays_silent()
    beto.expects_call("flood").goes_to_voicemail()
    town.wait(minutes=5)
    for person in ("ana", "beto", "carla"):
        town.phone(person).expects_sms("authority").stays_silent()
    town.wait(hours=2)


def test_pass_wakes_the_next_person_at_once(town: Town) -> None:
    """PASO means not me, next, now; the next one may then authorise."""
    flood(town).replies("PASO {code}")
    town.phone("ana").expects_sms("se llama a la siguiente")
    beto = town.phone("beto")
    question = beto.expects_sms("authority")
    beto.expects_call("flood").stays_silent()
    question.replies("SI {code}")
    beto.expects_sms("autorizado")
    town.phones.of(*town.residents("z-001")).expects_sms("Salga YA", "ALCALDIA DE ALTA")
