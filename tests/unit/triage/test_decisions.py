"""What a person may decide about an incident, and what is refused."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.municipality import Municipality, load_folder
from schemas.municipality.town import Role
from services.triage.domain.changes import Change
from services.triage.domain.engine import fold
from services.triage.domain.inputs import Decision, Tick
from services.triage.domain.rulebook import Book, book_of
from services.triage.domain.state import State, empty
from tests.support.towns import write_town
from tests.unit.triage.town import at, reading


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_town(tmp_path_factory.mktemp("towns"), "villa", zones=2, residents_per_zone=1).folder


@pytest.fixture(scope="module")
def town(folder: Path) -> Municipality:
    return load_folder(folder)


@pytest.fixture(scope="module")
def book(town: Municipality) -> Book:
    return book_of(town)


def flooded(book: Book) -> tuple[State, str]:
    """Level 3 since minute 15, version 2; it opened at level 2."""
    state, _ = fold(book, empty("villa"), [reading(1, 0, 2.6), reading(2, 15, 3.1), Tick(at(15))])
    (incident,) = state.town.incidents.values()
    assert (incident.level, incident.version) == (3, 2)
    return state, incident.incident_id


def said(incident_id: str, verb: str, **more: object) -> Decision:
    plain = {"decision_id": "d-1", "operator_id": "ana", "decided_at": at(20), "at": at(20)}
    return Decision(incident_id=incident_id, verb=verb, **{**plain, **more})


def code(changes: list[Change]) -> str:
    return changes[-1].reasons[0].code


@pytest.mark.parametrize(
    ("verb", "more", "expected"),
    [
        ("raise", {"level": 4}, "decision.raised"),
        ("raise", {"level": 3}, "decision.not_higher"),
        ("raise", {}, "decision.no_level"),
        ("raise", {"level": 7}, "decision.no_level"),
        ("lower", {"level": 1}, "decision.lowered"),
        ("lower", {"level": 3}, "decision.not_lower"),
        ("lower", {"level": 1, "version": 2}, "decision.lowered"),
        ("lower", {"level": 1, "version": 1}, "decision.stale"),
        ("lower", {"level": 1, "version": 9}, "decision.future"),
        ("lower", {"level": 1, "operator_id": "nadie"}, "decision.no_operator"),
        ("lower", {"level": 1, "decided_at": at(0) - timedelta(days=5000)}, "decision.expired_operator"),
        ("close", {}, "decision.still_danger"),
        ("approve", {}, "decision.wrong_verb"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else None,
)
def test_each_decision_gets_its_answer(book: Book, verb: str, more: dict[str, object], expected: str) -> None:
    """Applied or refused, always with a reason."""
    state, incident_id = flooded(book)
    _, changes = fold(book, state, [said(incident_id, verb, **more)])
    assert code(changes) == expected


def test_unknown_incident_is_refused(book: Book) -> None:
    _, changes = fold(book, empty("villa"), [said("nothing", "close")])
    assert code(changes) == "decision.unknown_incident"


def test_operator_without_the_office_is_refused(book: Book) -> None:
    """An auditor looks; he does not lower."""
    auditor = book.operators["ana"].model_copy(update={"roles": (Role.AUDITOR,)})
    state, incident_id = flooded(book)
    with_auditor = dataclasses.replace(book, operators={"ana": auditor})
    _, changes = fold(with_auditor, state, [said(incident_id, "lower", level=1)])
    assert code(changes) == "decision.no_role"


def test_nothing_is_lowered_or_closed_while_the_gauge_is_dead(book: Book) -> None:
    """Silence is not all-clear, not even for a person, unless another site shows the zone."""
    state, incident_id = flooded(book)
    state, _ = fold(book, state, [reading(3, 30, 2.0), Tick(at(200))])
    for verb, more in (("lower", {"level": 1}), ("close", {})):
        state, changes = fold(book, state, [said(incident_id, verb, **more)])
        assert code(changes) == "decision.blind"
    assert state.town.incidents[incident_id].level == 3


def test_gauge_taken_out_of_the_folder_bars_nothing(book: Book) -> None:
    """It will never report again, and two people signed that it is gone."""
    state, incident_id = flooded(book)
    state, _ = fold(book, state, [Tick(at(200))])
    left = {sensor_id: rules for sensor_id, rules in book.sensors.items() if sensor_id != "g-001"}
    _, changes = fold(dataclasses.replace(book, sensors=left), state, [said(incident_id, "lower", level=0)])
    assert code(changes) == "decision.lowered"


def test_another_site_that_shows_the_zone_lets_a_person_lower(tmp_path: Path) -> None:
    """Two gauges of different sites stand for one zone: the living one may be believed."""
    written = write_town(tmp_path, "villa", zones=1, residents_per_zone=1, sensors_per_zone=2)
    book = book_of(load_folder(written.folder))
    if len({rules.site for rules in book.sensors.values()}) == 1:
        pytest.skip("both gauges stand at one site here")
    start = [reading(1, 0, 3.1), reading(1, 0, 2.0, sensor="g-001-b"), Tick(at(0))]
    state, _ = fold(book, empty("villa"), start)
    state, _ = fold(book, state, [reading(2, 180, 2.0, sensor="g-001-b"), Tick(at(200))])
    incident = next(one for one in state.town.incidents.values() if one.kind == "hazard")
    _, changes = fold(book, state, [said(incident.incident_id, "lower", level=1)])
    assert code(changes) == "decision.lowered"


def test_lowered_by_decision_does_not_jump_back_on_the_same_water(book: Book) -> None:
    """What a person set aside counts again when it rises, or when it fell and returned."""
    state, incident_id = flooded(book)
    state, _ = fold(book, state, [said(incident_id, "lower", level=1)])
    state, _ = fold(book, state, [reading(3, 30, 3.2)])
    assert state.town.incidents[incident_id].level == 1
    state, _ = fold(book, state, [reading(4, 45, 3.7)])
    assert state.town.incidents[incident_id].level == 4
    state, _ = fold(book, state, [said(incident_id, "lower", level=1, decision_id="d-2")])
    state, _ = fold(book, state, [reading(5, 60, 2.0), reading(6, 75, 3.1)])
    assert state.town.incidents[incident_id].level == 3


def test_closed_when_the_danger_is_over_and_a_new_flood_is_a_new_incident(book: Book) -> None:
    state, first = flooded(book)
    state, changes = fold(book, state, [reading(3, 30, 2.0), said(first, "close")])
    assert changes[-1].snapshot is not None
    assert changes[-1].snapshot.TYPE == "incident.closed"
    assert state.town.conditions == {}
    state, _ = fold(book, state, [reading(4, 45, 3.1)])
    (second,) = state.town.incidents
    assert second != first


def test_correction_of_the_moment_that_opened_a_closed_incident_opens_another(book: Book) -> None:
    """The id follows from its cause, and consumers drop versions they have seen: it must differ."""
    state, first = flooded(book)
    state, _ = fold(book, state, [said(first, "lower", level=0), said(first, "close", decision_id="d-2")])
    state, _ = fold(book, state, [reading(3, 15, 3.9, received=16, correction=True)])
    (second,) = state.town.incidents
    assert second != first


def test_silent_sites_incident_is_closed_by_a_person_and_stays_closed(book: Book) -> None:
    """Somebody went to look: the same silence does not open it again, the next one does."""
    state, changes = fold(book, empty("villa"), [reading(1, 0, 2.0), Tick(at(0)), Tick(at(91))])
    mine = next(
        one.snapshot for one in changes if one.snapshot and one.snapshot.site == book.site_of("g-001")
    )
    state, changes = fold(book, state, [said(mine.incident_id, "close"), Tick(at(92)), Tick(at(500))])
    assert not any(one.site == mine.site for one in state.town.incidents.values())
    state, changes = fold(book, state, [reading(2, 510, 2.0), Tick(at(700))])
    again = [one.snapshot for one in changes if one.snapshot and one.snapshot.site == mine.site]
    assert again[-1].version == 1
    assert again[-1].incident_id != mine.incident_id


def test_simulated_decision_is_marked(book: Book) -> None:
    """The backtest's operator is nobody real."""
    state, incident_id = flooded(book)
    decision = said(incident_id, "lower", level=1, operator_id="simulado", simulated=True)
    _, changes = fold(book, state, [decision])
    assert changes[-1].simulated
    assert code(changes) == "decision.lowered"
