"""Silence is decided by ticks, and is never an all-clear."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.municipality import load_folder
from services.triage.domain.engine import fold, watched_sensors
from services.triage.domain.inputs import Tick
from services.triage.domain.rulebook import Book, book_of
from services.triage.domain.silence import next_deadline
from services.triage.domain.state import empty
from tests.support.towns import change, write_town
from tests.unit.triage.town import at, load, reading


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    return book_of(load(tmp_path_factory.mktemp("towns"), zones=1))


def test_gauge_is_silent_after_its_time_not_at_it(book: Book) -> None:
    """Ninety minutes to the second are still in time."""
    state, changes = fold(book, empty("villa"), [reading(1, 0, 2.0), Tick(at(0)), Tick(at(90))])
    assert changes == []
    _, changes = fold(book, state, [Tick(at(90.02))])
    assert [one.kind for one in changes] == ["silence", "incident"]


def test_gauge_that_never_spoke_is_silent_too(book: Book) -> None:
    """From the first tick that knew of it."""
    state, changes = fold(book, empty("villa"), [Tick(at(0)), Tick(at(90))])
    assert changes == []
    _, changes = fold(book, state, [Tick(at(91))])
    assert changes[0].reasons[0].code == "silence.never"


def test_condition_and_incident_stay_while_the_gauge_is_dead(book: Book) -> None:
    """The gauge died in the flood: level 3 stands, its evidence says no_data and its last word."""
    inputs = [reading(1, 0, 3.2), reading(2, 15, 3.4), Tick(at(15)), Tick(at(200)), Tick(at(900))]
    state, changes = fold(book, empty("villa"), inputs)
    hazard = [one.snapshot for one in changes if one.snapshot and one.snapshot.kind == "hazard"]
    assert [(one.version, one.level) for one in hazard] == [(1, 3), (2, 3)]
    (evidence,) = hazard[-1].evidence
    assert (evidence.state, evidence.level, evidence.value) == ("no_data", 3, 3.4)
    assert len(state.town.incidents) == 2


def test_suspect_readings_are_no_sign_of_life(book: Book) -> None:
    """A gauge that only sends values nobody may use is blind."""
    state, _ = fold(book, empty("villa"), [reading(1, 0, 2.0), Tick(at(0))])
    _, changes = fold(book, state, [reading(2, 80, 2.0, quality="suspect"), Tick(at(91))])
    assert "silence" in {one.kind for one in changes}


def test_stored_readings_that_come_late_do_not_end_a_silence(book: Book) -> None:
    """Only what is recent shows that the gauge reports."""
    start = [reading(1, 0, 2.0), Tick(at(0)), Tick(at(300))]
    state, _ = fold(book, empty("villa"), start)
    state, changes = fold(book, state, [reading(2, 60, 2.0, received=301)])
    assert changes == []
    assert state.sensors["g-001"].silent != []
    state, changes = fold(book, state, [reading(3, 300, 2.0, received=302)])
    assert state.sensors["g-001"].silent == []
    assert changes[-1].reasons[-1].code == "silence.site_back"


def test_next_deadline_is_the_first_tick_that_would_find_it(book: Book) -> None:
    """A replay jumps there: the tick at that moment finds the silence, the one before does not."""
    state, _ = fold(book, empty("villa"), [reading(1, 0, 2.0), Tick(at(0))])
    due = next_deadline(book, state.sensors.values(), at(0))
    assert due is not None
    _, changes = fold(book, state, [Tick(at(90))])
    assert changes == []
    _, changes = fold(book, state, [Tick(due)])
    assert changes[0].kind == "silence"
    assert next_deadline(book, state.sensors.values(), due) is None


def test_clock_that_is_set_back_starts_the_watch_again(book: Book) -> None:
    """A replay of last year begins on a system that already ticked today."""
    state, _ = fold(book, empty("villa"), [Tick(at(100_000))])
    state, changes = fold(book, state, [Tick(at(0)), Tick(at(80))])
    assert changes == []
    _, changes = fold(book, state, [Tick(at(95))])
    assert changes[0].kind == "silence"


def test_site_speaks_as_long_as_one_of_its_sensors_does(tmp_path: Path) -> None:
    """Two gauges on one mast: one task, and only when both are mute."""
    written = write_town(tmp_path, "villa", zones=1, residents_per_zone=1, sensors_per_zone=2)
    town = load_folder(written.folder)
    first, second = (town.sensor_of[sensor] for sensor in written.sensors)
    if first.site != second.site:
        change(written.folder, "sensors.csv", second.site, first.site)
        town = load_folder(written.folder)
    book = book_of(town)
    assert watched_sensors(book) == written.sensors
    start = [reading(1, 0, 2.0), reading(1, 0, 2.0, sensor="g-001-b"), Tick(at(0))]
    state, _ = fold(book, empty("villa"), [*start, reading(2, 60, 2.0, sensor="g-001-b"), Tick(at(100))])
    assert state.town.incidents == {}
    state, changes = fold(book, state, [Tick(at(151))])
    assert [one.kind for one in state.town.incidents.values()] == ["no_data"]
    assert changes[-1].snapshot is not None
    assert changes[-1].snapshot.site == first.site
