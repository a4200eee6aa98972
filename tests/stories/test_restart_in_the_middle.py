"""A service that dies and comes back in the middle of an emergency loses nothing and repeats nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stories.scenes import flood, incident_of, neighbours
from tests.support.town import Town


def test_notify_restarted_between_text_and_call(town: Town) -> None:
    """The due times stand in the database: call and release come at their second, once."""
    flood(town).stays_silent()
    for _ in range(3):
        town.wait(seconds=50)
        town.restart("notify")
    town.wait(seconds=30)
    town.phone("ana").expects_call("flood").stays_silent()
    neighbours(town).expects_sms("warning")
    town.wait(hours=1)


def test_notify_restarted_between_yes_and_carrier(town: Town) -> None:
    """The yes was stored; the process died before the first text left: every neighbour gets one."""
    flood(town).stays_silent()
    town.hands_over_unseen(town.decision("beto", incident_of(town)["incident_id"], "approve"))
    town.restart("notify")
    neighbours(town).expects_sms("warning")
    town.wait(hours=1)


def test_a_code_given_before_the_restart_still_answers(town: Town) -> None:
    """Ana's code is worth the same after the restart."""
    question = flood(town)
    town.restart("notify")
    question.replies("SI {code}")
    town.phone("ana").expects_sms("autorizado")
    neighbours(town).expects_sms("warning")


def test_triage_restarted_between_two_readings(
    write: Callable[..., Path], start: Callable[..., Town]
) -> None:
    """One of two confirming readings was read before the death: the second one is enough after it."""
    town = start(write(confirm=2))
    gauge = town.gauge("g-001")
    gauge.sends(2.6)
    town.phone("ana").expects_nothing()
    town.restart("triage")
    town.wait(minutes=5)
    gauge.sends(2.6)
    town.phone("ana").expects_sms("flood").replies("OK {code}")
    town.restart("triage")
    town.wait(minutes=5)
    gauge.sends(2.6)
    assert 1 == len(town.incidents())


def test_triage_that_reads_everything_again_decides_nothing_again(town: Town) -> None:
    """Dead before its offsets were stored: it reads all readings once more and knows them."""
    flood(town).replies("NO {code}")
    town.phone("ana").expects_sms("no sale")
    version = incident_of(town)["version"]
    town.pipe.rewind("triage", "readings")
    town.restart("triage")
    town.wait(minutes=10)
    assert version == incident_of(town)["version"]


@pytest.mark.parametrize("is_down", [True, False], ids=["broker away", "broker there"])
def test_ingest_restarted_after_its_yes(town: Town, is_down: bool) -> None:
    """A reading that was accepted is read, whatever dies behind the door."""
    town.pipe.is_down = is_down
    town.gauge("g-001").sends(2.6)
    town.restart("ingest")
    town.pipe.is_down = False
    town.phone("ana").expects_sms("flood").replies("OK {code}")
    at = town.clock.now()
    assert 1 == town.gauge("g-001").sends(2.6, at=at)["duplicates"]
    town.wait(hours=1)
