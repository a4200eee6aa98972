"""What is decided together is told together: one version of an incident, and nothing of it lost."""

from __future__ import annotations

import copy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.triage.domain.changes import Change, ConditionMoved, SensorSilent, Signal
from services.triage.domain.engine import decide_all
from services.triage.domain.incident import Incident
from services.triage.domain.rulebook import Book, book_of
from services.triage.domain.state import TownState, empty
from tests.unit.triage.town import at, load

quick = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
VALUES = {0: 2.0, 2: 2.6, 3: 3.1, 4: 3.7}
TOLD_ONCE = {"version", "material_version", "previous_level", "observed_at", "received_at"}
"""What differs by how many versions there were, and by whose reading the last one names."""


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    return book_of(load(tmp_path_factory.mktemp("towns"), zones=2, sensors_per_zone=2))


def moved(minute: int, sensor: str, before: int, level: int) -> ConditionMoved:
    return ConditionMoved(
        at=at(minute),
        rule_id=sensor.replace("g-", "r-"),
        sensor_id=sensor,
        level=level,
        before=before,
        value=VALUES[level],
        observed_at=at(minute),
        received_at=at(minute),
    )


def silent(minute: int, sensor: str) -> SensorSilent:
    return SensorSilent(at=at(minute), rule_id="silencio", sensor_id=sensor, since=at(minute - 90))


def decided(book: Book, *batches: list[Signal]) -> tuple[TownState, list[Change]]:
    town = empty("villa").town
    return town, [change for signals in batches for change in decide_all(book, town, signals)]


def verdicts(changes: list[Change]) -> list[tuple[object, ...]]:
    return [
        (one.at, one.incident_id, one.before, one.after, one.sensor_id, one.reasons, one.zones)
        for one in changes
    ]


def standing(incident: Incident) -> dict[str, object]:
    fields = {name: getattr(incident, name) for name in incident.__struct_fields__}
    return {name: value for name, value in fields.items() if name not in TOLD_ONCE}


@quick
@given(
    moves=st.lists(
        st.tuples(st.sampled_from(["g-001", "g-001-b", "g-002"]), st.sampled_from([0, 2, 3, 4])),
        min_size=1,
        max_size=25,
    ),
    cut=st.integers(1, 25),
)
def test_incidents_and_verdicts_do_not_depend_on_the_batches(
    book: Book, moves: list[tuple[str, int]], cut: int
) -> None:
    """Every verdict is kept either way; only the number of versions that tell of them differs."""
    level: dict[str, int] = {}
    signals: list[Signal] = []
    for minute, (sensor, new) in enumerate(moves):
        if new != level.get(sensor, 0):
            signals.append(moved(minute, sensor, level.get(sensor, 0), new))
        level[sensor] = new
    alone, singly = decided(book, *([each] for each in signals))
    town, changes = decided(book, signals[:cut], signals[cut:])
    assert verdicts(singly) == verdicts(changes)
    assert [standing(one) for one in alone.incidents.values()] == [
        standing(one) for one in town.incidents.values()
    ]
    assert alone.conditions == town.conditions
    versions = [one.snapshot.version for one in changes if one.snapshot]
    assert len(versions) <= 2 * len(town.incidents)


def test_version_says_why_it_opened_why_it_stands_there_and_what_came_last(book: Book) -> None:
    """A river that rose through three levels, and a gauge that fell again, in one batch."""
    signals: list[Signal] = [
        moved(0, "g-001", 0, 2),
        moved(5, "g-001", 2, 3),
        moved(10, "g-001-b", 0, 4),
        moved(15, "g-001", 3, 0),
    ]
    _, changes = decided(book, signals)
    (snapshot,) = [one.snapshot for one in changes if one.snapshot]
    assert (snapshot.version, snapshot.previous_level, snapshot.level) == (1, 0, 4)
    assert [why.code for why in snapshot.reasons if why.code.startswith("incident")] == [
        "incident.opened",
        "incident.raised",
        "incident.held",
        "incident.more",
    ]
    assert snapshot.observed_at == at(10)  # Of the reading that brought the level.
    assert {one.sensor_id: one.level for one in snapshot.evidence} == {"g-001": 0, "g-001-b": 4}


def test_two_incidents_of_a_batch_have_a_version_each(book: Book) -> None:
    _, changes = decided(book, [moved(0, "g-001", 0, 3), moved(1, "g-002", 0, 3), moved(2, "g-001", 3, 4)])
    told = [(one.snapshot.level, one.snapshot.zones) for one in changes if one.snapshot]
    assert told == [(3, ("z-002",)), (4, ("z-001",))]


def test_version_after_a_person_saw_one_is_material_when_any_news_was(book: Book) -> None:
    """A decision about the version before is about something else, whatever came last."""
    town, _ = decided(book, [moved(0, "g-001", 0, 2)])
    (incident,) = town.incidents.values()
    before = copy.copy(incident)
    decide_all(book, town, [moved(5, "g-001", 2, 3), moved(10, "g-001", 3, 0)])
    assert (before.material_version, incident.material_version, incident.version) == (1, 2, 2)


def test_two_gaps_of_a_site_are_one_version_with_its_last_word(book: Book) -> None:
    _, changes = decided(book, [silent(100, "g-001"), silent(300, "g-001")])
    (snapshot,) = [change.snapshot for change in changes if change.snapshot]
    assert [why.code for why in snapshot.reasons] == ["silence.site_opened", "silence.site_joined"]
    assert [one.sensor_id for one in snapshot.evidence] == ["g-001"]
