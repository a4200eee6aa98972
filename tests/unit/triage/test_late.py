"""Late readings fold again only what they change, with the answer that folding everything again gives."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.triage.domain.calm import Calms
from services.triage.domain.engine import fold_sensors
from services.triage.domain.folding import Outcome
from services.triage.domain.inputs import Reading
from services.triage.domain.level import Ladder, Standing
from services.triage.domain.rulebook import Book, book_of
from services.triage.domain.state import SensorState, decode_sensor, encode
from services.triage.domain.window import place, refold, remember_standings
from tests.unit.triage.town import load, reading

GAUGE = "g-001"
SHUFFLED = 9_000
STEPS_A_READING_MOST = 6
"""In order it is two: one when it arrives, one when it settles."""
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
Value = st.sampled_from([2.0, 2.45, 2.55, 2.95, 3.1, 3.55, 3.7])
Arrival = st.tuples(st.integers(0, 60), Value)
"""Half minutes after the start, and what the gauge shows then."""


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    return book_of(load(tmp_path_factory.mktemp("towns"), confirm=2, lateness_s=900))


def arrived(arrivals: list[tuple[int, float]]) -> list[Reading]:
    return [reading(n, half / 2, value, received=30.0) for n, (half, value) in enumerate(arrivals, start=1)]


def folded(book: Book, readings: list[Reading]) -> tuple[SensorState, Outcome]:
    states = {GAUGE: SensorState(GAUGE)}
    return states[GAUGE], fold_sensors(book, states, readings, ())


def standings(book: Book, state: SensorState) -> dict[str, list[Standing]]:
    """The whole window, folded from what is settled."""
    anew = decode_sensor(encode(state))
    remember_standings(book.sensors[GAUGE], anew)
    return anew.standings


@quick
@given(arrivals=st.lists(Arrival, min_size=1, max_size=80))
def test_what_is_kept_in_memory_decides_nothing(book: Book, arrivals: list[tuple[int, float]]) -> None:
    """A process that folds on, and one that starts anew before each reading, come to the same."""
    whole_state, whole = folded(book, arrived(arrivals))
    states, pieces = {GAUGE: SensorState(GAUGE)}, Outcome()
    for each in arrived(arrivals):
        out = fold_sensors(book, states, [each], ())
        pieces.changes += out.changes
        pieces.signals += out.signals
        states = {GAUGE: decode_sensor(encode(states[GAUGE]))}
    assert (whole.changes, whole.signals) == (pieces.changes, pieces.signals)
    assert encode(whole_state) == encode(states[GAUGE])


@quick
@given(arrivals=st.lists(Arrival, min_size=1, max_size=80), late=Arrival)
def test_late_reading_shows_what_the_whole_window_shows(
    book: Book, arrivals: list[tuple[int, float]], late: tuple[int, float]
) -> None:
    """The highest level from its place on, where nothing from there on had shown it."""
    state, _ = folded(book, arrived(arrivals))
    before = standings(book, state)
    state.standings.update(before)
    kept = (arrived([late])[0].observed_at, len(arrivals) + 1, late[1], state.window[0][3])
    placed = place(state.window, kept)
    assert placed is not None
    at, in_place = placed
    for rule_id, known in {rule_id: list(each) for rule_id, each in before.items()}.items():
        level = refold(book.sensors[GAUGE], state, rule_id, at, in_place=in_place)
        shown = standings(book, state)[rule_id]
        assert state.standings[rule_id] == shown
        highest = max(each.level for each in shown[at + 1 :])
        assert level == (highest if highest > max(each.level for each in known[at:]) else 0)


@pytest.mark.parametrize("order", ["shuffled", "in pairs", "backwards"])
def test_work_grows_with_the_readings(book: Book, monkeypatch: pytest.MonkeyPatch, order: str) -> None:
    """One gauge's readings of a quarter of an hour, out of order in one batch, cost a few steps each."""
    chance, steps, step = random.Random(5), 0, Ladder.step

    def counted(ladder: Ladder, before: Standing, value: float) -> Standing:
        nonlocal steps
        steps += 1
        return step(ladder, before, value)

    places = list(range(SHUFFLED))
    if order == "shuffled":
        chance.shuffle(places)
    elif order == "in pairs":
        places = [at ^ 1 for at in places]
    else:
        places.reverse()
    readings = [
        reading(n, at / SHUFFLED * 14, chance.choice([2.1, 2.1, 2.1, 2.6, 3.1, 3.7]), received=15.0)
        for n, at in enumerate(places, start=1)
    ]
    monkeypatch.setattr(Ladder, "step", counted)
    states: dict[str, SensorState] = {}
    calms, out = Calms(), Outcome()
    calms.fold(book, states, readings, out)
    calms.settle(book, out)
    assert states[GAUGE].count == SHUFFLED
    assert steps <= STEPS_A_READING_MOST * SHUFFLED
