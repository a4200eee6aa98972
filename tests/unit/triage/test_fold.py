"""The fold: order, repeats, splits and restarts change nothing that is settled."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.triage.domain.changes import Change
from services.triage.domain.engine import fold
from services.triage.domain.inputs import Reading, Tick
from services.triage.domain.rulebook import Book, book_of
from services.triage.domain.state import State, decode_state, empty, encode
from tests.unit.triage.town import at, load, reading

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
Values = st.lists(st.sampled_from([2.0, 2.45, 2.6, 2.95, 3.1, 3.55, 3.7]), min_size=1, max_size=40)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    return book_of(load(tmp_path_factory.mktemp("towns"), confirm=2, lateness_s=900))


def run(
    book: Book, inputs: Sequence[Reading | Tick], state: State | None = None
) -> tuple[State, list[Change]]:
    return fold(book, state or empty(book.municipality), inputs)


def series(values: Sequence[float]) -> list[Reading]:
    return [reading(n, 5 * n, value) for n, value in enumerate(values, start=1)]


def settled(changes: Sequence[Change]) -> list[tuple[object, ...]]:
    return [
        (one.rule, one.observed_at, one.before, one.after)
        for one in changes
        if one.kind == "condition" and not one.provisional
    ]


def moves(changes: Sequence[Change]) -> list[tuple[object, ...]]:
    return [
        (one.rule, one.observed_at, one.before, one.after)
        for one in changes
        if one.kind == "condition" and one.provisional and one.before != one.after
    ]


def flushed(values: Sequence[float]) -> list[Reading]:
    """The series and enough quiet readings behind it to settle all of it."""
    return series([*values, 2.45, 2.45, 2.45, 2.45])


@quick
@given(values=Values)
def test_in_order_settled_and_provisional_agree(book: Book, values: list[float]) -> None:
    """What is said at once, and what is said when nothing older can come, are the same."""
    _, changes = run(book, flushed(values))
    last = at(5 * len(values))
    assert settled(changes) == [one for one in moves(changes) if one[1] <= last]


@quick
@given(values=Values, seed=st.integers(0, 999))
def test_shuffled_within_the_lateness_settles_the_same(book: Book, values: list[float], seed: int) -> None:
    """A reading up to fifteen minutes late changes no settled verdict."""
    inputs, chance = flushed(values), random.Random(seed)
    # Sorting by time plus up to 15 minutes displaces no reading behind one that is more than that younger.
    shuffled = sorted(inputs, key=lambda one: one.observed_at.timestamp() + chance.uniform(0, 899))
    in_order, first = run(book, inputs)
    out_of_order, second = run(book, shuffled)
    assert settled(first) == settled(second)
    assert in_order.sensors["g-001"].digest == out_of_order.sensors["g-001"].digest
    assert in_order.sensors["g-001"].count == out_of_order.sensors["g-001"].count


@quick
@given(values=Values, seed=st.integers(0, 999))
def test_shuffled_within_the_lateness_loses_no_rise(book: Book, values: list[float], seed: int) -> None:
    """Whatever level the town would have been told of in order, it is told of."""
    inputs, chance = series(values), random.Random(seed)
    shuffled = sorted(inputs, key=lambda one: one.observed_at.timestamp() + chance.uniform(0, 899))
    levels = [
        max((one.level for one in run(book, each)[0].town.incidents.values()), default=0)
        for each in (inputs, shuffled)
    ]
    assert levels[0] <= levels[1]


@quick
@given(values=Values, seed=st.integers(0, 999))
def test_doubled_changes_nothing_at_all(book: Book, values: list[float], seed: int) -> None:
    """Every reading again, once or twice, at any later place."""
    inputs, chance = flushed(values), random.Random(seed)
    doubled = list(inputs)
    for one in inputs:
        first = doubled.index(one)
        doubled.insert(chance.randint(first + 1, len(doubled)), one)
    assert run(book, inputs) == run(book, doubled)


@quick
@given(values=Values, cut=st.integers(0, 44))
def test_saved_and_loaded_anywhere_is_identical(book: Book, values: list[float], cut: int) -> None:
    """A process that is killed between two inputs goes on from its rows."""
    inputs = flushed(values)
    whole_state, whole = run(book, inputs)
    before_state, before = run(book, inputs[:cut])
    restored = decode_state(encode(before_state))
    after_state, after = run(book, inputs[cut:], restored)
    assert whole == before + after
    assert encode(whole_state) == encode(after_state)


@quick
@given(values=Values, seed=st.integers(0, 999))
def test_late_readings_never_lower_and_incidents_only_rise(
    book: Book, values: list[float], seed: int
) -> None:
    """However late and in whatever order: no incident falls without a decision."""
    inputs = series(values)
    random.Random(seed).shuffle(inputs)
    _, changes = run(book, [*inputs, Tick(at(5 * len(values) + 1)), Tick(at(600))])
    levels: dict[str, int] = {}
    versions: dict[str, int] = {}
    for one in changes:
        if one.snapshot is None:
            continue
        snapshot = one.snapshot
        assert snapshot.level >= levels.get(snapshot.incident_id, 0)
        assert snapshot.version == versions.get(snapshot.incident_id, 0) + 1
        levels[snapshot.incident_id] = snapshot.level
        versions[snapshot.incident_id] = snapshot.version


@quick
@given(values=Values)
def test_incident_reaches_the_highest_condition(book: Book, values: list[float]) -> None:
    """No rise is lost between the two stages."""
    state, changes = run(book, series(values))
    highest = max((int(one[3]) for one in moves(changes)), default=0)
    assert highest == max((one.level for one in state.town.incidents.values()), default=0)


def test_late_reading_that_confirms_raises_with_a_revision(book: Book) -> None:
    """09:00 3.1, 09:10 2.6, and then 09:05 3.2 arrives: two in a row after all."""
    _, changes = run(book, [reading(1, 0, 3.1), reading(3, 10, 2.95), reading(2, 5, 3.2, received=11)])
    incident = next(one for one in changes if one.snapshot is not None and one.snapshot.level == 3)
    assert incident.observed_at == at(5)
    assert "late.raised" in {reason.code for one in changes for reason in one.reasons}


def test_late_reading_that_would_lower_is_kept_and_said(book: Book) -> None:
    """09:00 3.1, 09:10 3.2 raised; 09:05 2.0 arrives between them: it stands, with the reason."""
    state, changes = run(book, [reading(1, 0, 3.1), reading(3, 10, 3.2), reading(2, 5, 2.0, received=11)])
    track = state.sensors["g-001"].tracks["r-001"]
    assert (track.level, track.provisional.level) == (3, 0)
    assert changes[-1].reasons[0].code == "late.kept"


def test_late_reading_inside_a_known_rise_raises_nothing_again(tmp_path: Path) -> None:
    """06:00 3.1, 06:10 2.0, and then 06:05 3.0: the town knew of that level and of its end."""
    one = book_of(load(tmp_path, confirm=1))
    inputs = [reading(1, 0, 3.1), reading(3, 10, 2.0), reading(2, 5, 3.0, received=11)]
    state, changes = run(one, inputs)
    assert [(before, after) for _, _, before, after in moves(changes)] == [(0, 3), (3, 0)]
    assert state.sensors["g-001"].tracks["r-001"].level == 0


def test_late_peak_that_nobody_saw_raises_and_is_held(tmp_path: Path) -> None:
    """06:00 2.0, 06:10 2.0, and then 06:05 3.7: the incident must be known of, though it is over."""
    one = book_of(load(tmp_path, confirm=1))
    inputs = [reading(1, 0, 2.0), reading(3, 10, 2.0), reading(2, 5, 3.7, received=11)]
    state, _ = run(one, inputs)
    assert [incident.level for incident in state.town.incidents.values()] == [4]
    state, changes = run(one, [reading(4, 20, 2.0), reading(5, 26, 2.0)], state)
    assert [(before, after) for _, _, before, after in moves(changes)] == [(4, 0)]


def test_late_readings_that_change_nothing_prolong_no_hold(tmp_path: Path) -> None:
    """A network that always delivers in pairs, the younger first, must not keep a level for ever."""
    one = book_of(load(tmp_path, confirm=1))
    state, _ = run(one, [reading(1, 0, 2.0), reading(3, 10, 2.0), reading(2, 5, 3.7)])
    pairs = [reading(n + 1 - 2 * (n % 2), 5 * (n + 1 - 2 * (n % 2)), 2.0) for n in range(4, 14)]
    state, _ = run(one, pairs, state)
    assert state.sensors["g-001"].tracks["r-001"].level == 0


def test_very_late_readings_confirm_each_other_and_raise(book: Book) -> None:
    """Two stored readings from an hour ago, sent when the network is back, are news of a flood."""
    state, changes = run(
        book,
        [
            *[reading(n, 5 * n, 2.0) for n in range(12, 25)],
            reading(1, 5, 3.7, received=121),
            reading(2, 10, 3.7, received=121),
        ],
    )
    assert [one.level for one in state.town.incidents.values()] == [4]
    assert "late.nothing" in {reason.code for one in changes for reason in one.reasons}


def test_reading_older_than_a_day_decides_nothing(book: Book) -> None:
    """It is counted and said."""
    state, changes = run(book, [reading(2, 2000, 2.0), reading(1, 0, 3.9), reading(3, 1, 3.9)])
    assert state.town.incidents == {}
    assert [one.reasons[0].code for one in changes] == ["late.too_old", "late.too_old"]
    assert state.sensors["g-001"].count == 3


def test_correction_takes_the_place_of_what_it_corrects(book: Book) -> None:
    """31.0 was a slip for 3.10: the higher number of one moment counts."""
    state, _ = run(book, [reading(1, 0, 3.1), reading(2, 0, 2.0, received=1, correction=True)])
    assert [kept[2] for kept in state.sensors["g-001"].window] == [2.0]
    state, _ = run(book, [reading(2, 0, 2.0, correction=True), reading(1, 0, 3.1, received=1)])
    assert [kept[2] for kept in state.sensors["g-001"].window] == [2.0]


def test_first_of_two_readings_is_a_verdict_not_to_alert(book: Book) -> None:
    """The decision not to alert carries its reason too."""
    _, changes = run(book, [reading(1, 0, 3.1)])
    (verdict,) = [one for one in changes if one.kind == "condition"]
    assert (verdict.before, verdict.after) == (0, 0)
    assert verdict.reasons[0].text.startswith("1 de 2 lecturas de 3,00 m o más en g-001 (3,10 m a las 00:00")


@pytest.mark.parametrize(
    ("quality", "unit"),
    [("suspect", "m"), ("test", "m"), ("good", "ft")],
    ids=["suspect", "test", "other unit"],
)
def test_value_that_may_not_decide_is_counted_and_said(book: Book, quality: str, unit: str) -> None:
    """Anything but a good value in the rule's unit decides nothing."""
    inputs = [reading(n, 5 * n, 9.0, quality=quality, unit=unit) for n in (1, 2, 3)]
    state, changes = run(book, inputs)
    assert state.town.incidents == {}
    assert {one.reasons[0].code for one in changes} == {"reading.unusable"}
    assert (state.sensors["g-001"].count, state.sensors["g-001"].unusable) == (3, 3)


def test_unknown_sensor_is_counted_and_decides_nothing(book: Book) -> None:
    state, changes = run(book, [reading(1, 0, 9.0, sensor="g-999")])
    assert (state.sensors["g-999"].count, changes) == (1, [])


def test_reasons_are_in_plain_spanish(book: Book, tmp_path: Path) -> None:
    """What, where, value, threshold, since when; in the town's own time and words."""
    _, changes = run(book, [reading(1, 0, 3.1), reading(2, 5, 3.12)])
    texts = [reason.text for one in changes if one.snapshot for reason in one.reasons]
    assert "g-001 está en nivel 3 (Acción)" in texts[0]
    assert "3,12 m a las 00:05 del 01/05" in texts[1]
    assert "umbral 3,00 m" in texts[1]
