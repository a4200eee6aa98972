"""Stage 2: what belongs together, where it is dangerous, and who else saw it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.municipality import load_folder
from services.triage.domain.engine import fold
from services.triage.domain.rulebook import Book, book_of
from services.triage.domain.state import empty
from tests.support.towns import write_town
from tests.unit.triage.town import reading


def book_with(directory: Path, zones_of: dict[str, list[str]], town: str = "villa") -> Book:
    """A town of three zones whose rules speak of the zones given."""
    folder = write_town(directory, town, zones=3, residents_per_zone=1).folder
    path = folder / "rulebook.yaml"
    written = json.loads(path.read_text())
    for rule in written["rules"]:
        rule["zones" if "zones" in rule else "level"] = zones_of.get(rule["id"], rule.get("zones", 1))
    path.write_text(json.dumps(written))
    return book_of(load_folder(folder))


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    zones = {"r-001": ["z-001", "z-002"], "r-002": ["z-002"], "r-003": ["z-003"]}
    return book_with(tmp_path_factory.mktemp("towns"), zones)


def test_same_hazard_in_a_shared_zone_is_one_incident(book: Book) -> None:
    """The upstream gauge and the bridge speak of one river."""
    inputs = [reading(1, 0, 2.6), reading(1, 5, 3.1, sensor="g-002")]
    state, _ = fold(book, empty("villa"), inputs)
    (incident,) = state.town.incidents.values()
    assert (incident.level, incident.version) == (3, 2)
    assert sorted(incident.sources) == ["r-001|g-001", "r-002|g-002"]


def test_only_zones_at_the_incidents_level_are_in_danger_at_it(book: Book) -> None:
    """Zone 1 stands at level 2 beside zone 2 at level 3: its people do not get zone 2's words."""
    _, changes = fold(book, empty("villa"), [reading(1, 0, 2.6), reading(1, 5, 3.1, sensor="g-002")])
    snapshot = changes[-1].snapshot
    assert snapshot is not None
    assert snapshot.zones == ("z-002",)
    assert snapshot.zone_levels == {"z-001": 2, "z-002": 3}


def test_another_zone_is_another_incident(book: Book) -> None:
    state, _ = fold(book, empty("villa"), [reading(1, 0, 2.6), reading(1, 5, 3.1, sensor="g-003")])
    assert len(state.town.incidents) == 2


def test_second_site_corroborates(book: Book) -> None:
    """Two sites at the level are more than one: the version says so, the level stays."""
    _, changes = fold(book, empty("villa"), [reading(1, 0, 3.1), reading(1, 5, 3.1, sensor="g-002")])
    snapshots = [one.snapshot for one in changes if one.snapshot]
    assert [(one.version, one.level, one.corroboration) for one in snapshots] == [(1, 3, 1), (2, 3, 2)]
    assert snapshots[1].reasons[0].code == "incident.corroborated"


def test_condition_that_falls_is_said_and_lowers_nothing(book: Book) -> None:
    """The level rises by rule; down is a decision."""
    _, changes = fold(book, empty("villa"), [reading(1, 0, 3.1), reading(2, 15, 2.0)])
    snapshot = changes[-1].snapshot
    assert snapshot is not None
    assert (snapshot.level, snapshot.reasons[0].code) == (3, "incident.held")
    assert [one.level for one in snapshot.evidence] == [0]


def test_ids_are_the_same_in_a_second_run(book: Book) -> None:
    """They follow from cause, rule and place."""
    inputs = [reading(1, 0, 3.1)]
    first, _ = fold(book, empty("villa"), inputs)
    second, _ = fold(book, empty("villa"), inputs)
    assert first.town.incidents.keys() == second.town.incidents.keys()


def test_two_towns_with_the_same_ids_have_different_incidents(book: Book, tmp_path: Path) -> None:
    other = book_with(tmp_path, {}, town="puerto")
    first, _ = fold(book, empty("villa"), [reading(1, 0, 3.1)])
    second, _ = fold(other, empty("puerto"), [reading(1, 0, 3.1)])
    assert first.town.incidents.keys().isdisjoint(second.town.incidents)


def test_threshold_in_force_at_the_readings_time_decides(tmp_path: Path) -> None:
    """A new row from 06:30 on: what was measured before is judged by the old one, whenever it comes."""
    folder = write_town(tmp_path, "villa", zones=1, residents_per_zone=1).folder
    path = folder / "rulebook.yaml"
    written = json.loads(path.read_text())
    old = next(rule for rule in written["rules"] if rule["kind"] == "level")
    new = {
        **old,
        "valid_from": "2026-05-01T06:30:00Z",
        "levels": [{"level": 3, "raise_at": 2.0, "clear_below": 1.9}],
    }
    old["valid_to"] = "2026-05-01T06:30:00Z"
    written["rules"].append(new)
    path.write_text(json.dumps(written))
    book = book_of(load_folder(folder))
    state, _ = fold(book, empty("villa"), [reading(1, 0, 2.2), reading(2, 15, 2.2)])
    assert state.town.incidents == {}
    state, _ = fold(book, state, [reading(3, 30, 2.2)])
    assert [one.level for one in state.town.incidents.values()] == [3]
