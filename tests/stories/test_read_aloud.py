"""Every text of a whole emergency, as a person with a cheap phone reads it."""

from __future__ import annotations

import re

from services.notify.domain.segments import is_gsm7, size_of
from tests.stories.scenes import flood, neighbours, warning_of
from tests.support.town import Town

BRACES = re.compile(r"[{}]|None|\.\.|  | \.")
CODE_NAMES = re.compile(r"\b(flood|no_data|hazard|level|sms|alta|baja|r-\d+|g-\d+)\b")


def emergency(town: Town) -> None:
    """Play an emergency from its first page to its end, claiming as little as possible."""
    town.gauge("g-002").sends(2.6)
    town.phone("ana").expects_sms("Preparación").replies("OK {code}")
    town.phones[town.residents("z-001")[2]].is_switched_off()
    flood(town, sites=1).stays_silent()
    town.wait(minutes=2)
    town.phone("ana").expects_call().is_heard()
    town.wait(minutes=1)
    beto = town.phone("beto")
    beto.expects_call().is_heard()
    beto.says("no entiendo")
    beto.expects_sms("Ejemplo")
    beto.expects_sms("authority").replies("SI {code}")
    beto.expects_sms("autorizado")
    neighbours(town).expects_sms("warning")
    town.wait(minutes=5)
    town.phone("brigada-norte").expects_sms("altavoz").replies("OK {code}")
    town.wait(hours=5, minutes=25)
    for _ in range(3):
        town.phone("brigada-norte").expects_sms("ya llegaron").stays_silent()
    for _ in range(2):
        town.phone("ana").expects_sms("no dice que llego").stays_silent()
    for person in ("ana", "beto", "carla"):
        town.phone(person).expects_sms("vence").stays_silent()
    town.wait(minutes=30)
    neighbours(town).expects_sms("renewal")
    assert "applied" == town.decides("ana", warning_of(town)["incident_id"], "lift")
    neighbours(town).expects_sms("lift")


def test_every_text_fits_and_reads_well(town: Town) -> None:
    """On duty one segment, two with a link, three to read the words; neighbours two; a call says keys."""
    emergency(town)
    texts = [entry["text"] for entry in town.phones.entries("message")]
    for text in dict.fromkeys(texts):
        size = size_of(text)
        print(f"[{size.segments}/{size.units}] {text}")
        may_grow = text.startswith("ALCALDIA") or "/a/" in text  # a page may take a second one for its link
        most = 3 if "Aviso para" in text else 2 if may_grow else 1
        assert is_gsm7(text), text
        assert size.segments <= most, text
        assert not BRACES.search(text), text
        assert not CODE_NAMES.search(text), text
    say_what_to_press(town)


def say_what_to_press(town: Town) -> None:
    """Nobody who hears a call can answer OK 3139: they press 1, 2 or their code."""
    calls = [entry["text"] for entry in town.phones.entries("call")]
    assert calls
    for words in calls:
        print(words)
        assert "Responda" not in words
        assert "Marque 1" in words
        assert "Acción" in words, "a voice that reads «Accion» stresses it wrongly"
