"""The quick way for quiet readings leads where one reading after the other would have led."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.fingerprint import fingerprint_of, fingerprint_of_many
from services.triage.domain.calm import Calms
from services.triage.domain.engine import fold_sensors
from services.triage.domain.folding import Outcome
from services.triage.domain.inputs import Reading
from services.triage.domain.rulebook import Book, book_of
from services.triage.domain.runs import fold_records
from services.triage.domain.state import SensorState, encode
from services.triage.domain.window import MAX_WINDOW
from tests.unit.triage.town import load, reading

quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
# Mostly quiet, at times a level, a value inside a dead band, a late one, a repeat, a hole, a bad one.
Steps = st.lists(
    st.tuples(
        st.sampled_from([2.0, 2.1, 2.1, 2.2, 2.45, 2.55, 3.1, 3.2, 3.7]),
        st.sampled_from([1, 1, 1, 1, 5, 20, -3, -40, 0]),
        st.sampled_from([1, 1, 1, 1, 1, 1, 0, 2]),
        st.sampled_from(["good", "good", "good", "good", "good", "suspect"]),
        st.sampled_from(["g-001", "g-002", "g-003"]),
    ),
    min_size=1,
    max_size=120,
)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    folder: Path = tmp_path_factory.mktemp("towns")
    return book_of(load(folder, confirm=2, lateness_s=900))


def quickly(book: Book, inputs: Sequence[Reading], cuts: int) -> tuple[dict[str, SensorState], Outcome]:
    states: dict[str, SensorState] = {}
    calms, out = Calms(), Outcome()
    for place, each in enumerate(inputs):
        calms.fold(book, states, [each], out)
        if cuts and place % cuts == 0:
            calms.settle(book, out)
    calms.settle(book, out)
    return states, out


def by_runs(book: Book, inputs: Sequence[Reading], cuts: int) -> tuple[dict[str, SensorState], Outcome]:
    states: dict[str, SensorState] = {}
    calms, out, size = Calms(), Outcome(), cuts or len(inputs)
    for start in range(0, len(inputs), size):
        batch = inputs[start : start + size]
        records = [(f"e-{start}", batch[: size // 2]), (f"f-{start}", batch[size // 2 :])]
        fold_records(book, states, calms, records, out)
    out.cause = None
    return states, out


def one_by_one(book: Book, inputs: Sequence[Reading]) -> tuple[dict[str, SensorState], Outcome]:
    states: dict[str, SensorState] = {}
    return states, fold_sensors(book, states, inputs, ())


def agree(book: Book, inputs: Sequence[Reading], cuts: int) -> None:
    states, out = one_by_one(book, inputs)
    for way in (quickly, by_runs):
        quick_states, quick_out = way(book, inputs, cuts)
        assert {id_: encode(one) for id_, one in states.items()} == {
            id_: encode(one) for id_, one in quick_states.items()
        }
        assert out == quick_out


@quick
@given(steps=Steps, cuts=st.integers(0, 9))
def test_state_verdicts_and_signals_are_the_same(
    book: Book, steps: list[tuple[float, int, int, str, str]], cuts: int
) -> None:
    """Wherever a batch ends, and whatever comes between quiet readings."""
    inputs, minute, last_n = [], 100, dict[str, int]()
    for value, minutes, more, quality, sensor in steps:
        minute, n = minute + minutes, max(1, last_n.get(sensor, 0) + more)
        inputs.append(reading(n, minute, value, quality=quality, sensor=sensor))
        last_n[sensor] = n
    agree(book, inputs, cuts)


def test_window_that_is_full_pushes_out_the_same(book: Book) -> None:
    """More readings within the lateness than a window holds settle early, in both ways alike."""
    # A sensor that sends ten a second: nothing of it passes the watermark before the window is full.
    inputs = [
        reading(n, n / 600, 3.1 if n in {2_000, 2_001, 2_002} else 2.1) for n in range(1, MAX_WINDOW + 900)
    ]
    agree(book, inputs, 700)


def test_fingerprints_of_many_are_the_sum_of_each(book: Book) -> None:
    """Both ways of counting prove the same set."""
    inputs = [reading(n, n, 2.0 + n / 7) for n in range(1, 50)]
    each = [fingerprint_of("g-001", "river_level", one.observed_at, one.value) for one in inputs]
    assert sum(each) == fingerprint_of_many("g-001", "river_level", inputs)
