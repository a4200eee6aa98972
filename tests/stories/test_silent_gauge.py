"""A gauge that stops reporting is never an all-clear."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.town import Town


@pytest.fixture
def town(write: Callable[..., Path], start: Callable[..., Town]) -> Town:
    """Return towns with one gauge each that must report every 90 minutes; the one of ``baja`` does."""
    return start(write(zones=1, sensors_per_zone=1, min_sources=1, silent_after="PT90M"))


def pass_hours(town: Town, hours: float, *, reading_m: float | None = None) -> None:
    """Let time pass while the other town's gauge reports, and ours too if it says something."""
    for _ in range(int(hours * 2)):
        town.gauge("g-001", "baja").sends(1.0)
        if reading_m is not None:
            town.gauge("g-001").sends(reading_m)
        town.wait(minutes=30)


def fall_silent_at_level_2(town: Town) -> None:
    """Let our gauge reach level 2, then say nothing for two hours."""
    town.gauge("g-001").sends(2.6)
    town.phone("ana").expects_sms("flood").replies("OK {code}")
    pass_hours(town, 2)
    town.phone("ana").expects_sms("silence", "2.6 m a las 02:00").replies("OK {code}")


def by_kind(town: Town) -> dict[str, dict]:
    return {incident["kind"]: incident for incident in town.incidents()}


def test_silence_keeps_the_level_and_sends_somebody(town: Town) -> None:
    """The level stays, a page says when it last spoke, and one task sends somebody to the gauge."""
    fall_silent_at_level_2(town)
    crew = town.phone("brigada-sur")
    task = crew.expects_sms("Leer la regla")
    task.replies("OK {code}")
    task.replies("LLEGUE {code}")
    crew.expects_sms("en el lugar")
    open_ones = by_kind(town)
    assert (2, 1) == (open_ones["hazard"]["level"], open_ones["no_data"]["level"])
    assert "no_data" == open_ones["no_data"]["evidence"][0]["state"]
    assert ["on_scene"] == [task["state"] for task in town.tasks()]
    pass_hours(town, 3)


def test_a_later_gap_joins_the_same_task(town: Town) -> None:
    """The gauge comes back and dies again: the site's task is still open, so nobody is rung twice."""
    fall_silent_at_level_2(town)
    town.phone("brigada-sur").expects_sms("Leer la regla").stays_silent()
    pass_hours(town, 1, reading_m=2.6)
    pass_hours(town, 2)
    assert 1 == len(town.tasks())
    assert 2 == len(town.incidents())


def test_nothing_is_lowered_while_the_gauge_is_silent(town: Town) -> None:
    """A person who would lower what nobody sees is refused, told since when; after a reading they may."""
    fall_silent_at_level_2(town)
    town.phone("brigada-sur").expects_sms("Leer la regla").stays_silent()
    flood = by_kind(town)["hazard"]["incident_id"]
    decision = town.decision("ana", flood, "lower", level=0)
    town.hands_over(decision)
    assert "refused" == town.ruling(decision)
    (why,) = town.rows("notify", "SELECT reasons FROM decision WHERE ruling = 'refused'")
    assert "decision.blind" in why[0]
    assert "refused" == town.decides("ana", flood, "close")
    pass_hours(town, 0.5, reading_m=1.0)
    assert 2 == by_kind(town)["hazard"]["level"]
    assert "applied" == town.decides("ana", flood, "lower", level=0)
    assert 0 == by_kind(town)["hazard"]["level"]


def test_a_stopped_broker_is_no_silent_gauge(town: Town) -> None:
    """Readings that wait for the broker come before the tick that could call their gauge silent."""
    town.gauge("g-001").sends(1.0)
    town.pipe.is_down = True
    pass_hours(town, 3, reading_m=1.0)
    town.pipe.is_down = False
    town.settle()
    assert [] == town.incidents() + town.incidents("baja")
