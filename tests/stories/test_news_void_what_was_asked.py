"""A river that goes on rising makes an open question stale: nobody approves what is no longer so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.stories.scenes import flood, incident_of, neighbours, warning_of
from tests.support.town import Town


def stands_for(folder: Path, rule_id: str, zones: list[str]) -> None:
    """Let a rule stand for these zones."""
    file = folder / "rulebook.yaml"
    told = json.loads(file.read_text())
    for row in told["rules"]:
        if row["id"] == rule_id:
            row["zones"] = zones
    file.write_text(json.dumps(told))


def test_a_higher_level_voids_the_request_and_asks_afresh(town: Town) -> None:
    """From level 3 to 4 the old code is worth nothing and new words are asked for."""
    old = flood(town)
    town.wait(minutes=1)
    town.gauge("g-001").sends(3.7)
    new = town.phone("ana").expects_sms("authority", "Impacto", "techo firme")
    old.replies("SI {code}")
    town.phone("ana").expects_sms("versión nueva")
    neighbours(town).expects_nothing()
    new.replies("SI {code}")
    town.phone("ana").expects_sms("autorizado")
    neighbours(town).expects_sms("techo firme")
    assert 4 == warning_of(town)["level"]
    town.wait(hours=1)


def test_a_new_zone_voids_the_request_and_asks_afresh(
    write: Callable[..., Path], start: Callable[..., Town]
) -> None:
    """A second zone of the same flood: the words of both are asked for, and each hears of its own."""
    folder = write()
    stands_for(folder / "alta", "r-002", ["z-001", "z-002"])
    town = start(folder)
    old = flood(town)
    town.wait(minutes=1)
    town.gauge("g-002").sends(3.1)
    new = town.phone("ana").expects_sms("authority", "6 tel", "Zona 001", "Zona 002")
    old.replies("SI {code}")
    town.phone("ana").expects_sms("versión nueva")
    new.replies("SI {code}")
    town.phone("ana").expects_sms("autorizado", "6 teléfonos")
    neighbours(town, "z-001").expects_sms("en Zona 001.")
    neighbours(town, "z-002").expects_sms("en Zona 002.")
    assert ["z-001", "z-002"] == warning_of(town)["zones"]


def test_more_evidence_alone_voids_nothing(town: Town) -> None:
    """Another reading of the same level leaves the question as it is."""
    question = flood(town)
    town.wait(minutes=1)
    town.gauge("g-001-b").sends(3.2)
    question.replies("SI {code}")
    town.phone("ana").expects_sms("autorizado")
    neighbours(town).expects_sms("warning")


def test_a_decision_for_a_version_that_is_gone_is_refused(town: Town) -> None:
    """Who decides on what they saw a while ago is told to look again."""
    flood(town).stays_silent()
    seen = incident_of(town)["version"]
    town.gauge("g-001").sends(3.7)
    town.phone("ana").expects_sms("authority", "Impacto").stays_silent()
    decision = town.decision("beto", incident_of(town)["incident_id"], "approve", version=seen)
    answer = town.hands_over(decision).json()
    assert ("refused", "decision.version_gone") == (answer["ruling"], answer["reasons"][0]["code"])
    neighbours(town).expects_nothing()
