"""Numbers without holes, repeats and corrections."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.vocabulary import Property
from services.ingest.domain.normalise import Reading
from services.ingest.domain.series import Outcome, Series, enrol

START = datetime(2026, 5, 2, 12, 0, tzinfo=UTC)


def reading(value: float = 1.0, minute: int = 0, sensor: str = "rio-1") -> Reading:
    return Reading(sensor, Property.RIVER_LEVEL, value, START + timedelta(minutes=minute))


def test_new_readings_are_numbered_from_one_per_sensor() -> None:
    """Each sensor counts for itself."""
    done = enrol([reading(), reading(minute=1), reading(sensor="rio-2")], {}, {})

    assert [("rio-1", 1), ("rio-1", 2), ("rio-2", 1)] == [(n.reading.sensor_id, n.n) for n in done.new]


def test_numbers_go_on_where_they_stood() -> None:
    """The series is one, over restarts."""
    done = enrol([reading()], {}, {"rio-1": Series(41, "00")})

    assert 42 == done.new[0].n


def test_same_identity_and_value_is_a_duplicate_and_takes_no_number() -> None:
    """Within one batch and against what is stored."""
    stored = {reading().identity: frozenset({1.0})}
    done = enrol([reading(), reading(minute=1), reading(minute=1)], stored, {"rio-1": Series(1)})

    assert (Outcome.DUPLICATE, Outcome.ACCEPTED, Outcome.DUPLICATE) == done.outcomes
    assert [2] == [new.n for new in done.new]


def test_same_identity_with_another_value_is_a_correction() -> None:
    """It is kept as one, and published as one."""
    done = enrol([reading(1.0), reading(1.5), reading(1.0)], {}, {})

    assert (Outcome.ACCEPTED, Outcome.CORRECTION, Outcome.DUPLICATE) == done.outcomes
    assert [False, True] == [new.correction for new in done.new]


readings = st.builds(
    reading, st.sampled_from([1.0, 2.0, 3.5]), st.integers(0, 5), st.sampled_from(["rio-1", "rio-2"])
)


@given(offered=st.lists(readings, max_size=40), cut=st.integers(0, 40))
def test_cut_in_two_batches_gives_the_same_series(offered: list[Reading], cut: int) -> None:
    """Where a batch ends changes nothing."""
    whole = enrol(offered, {}, {})
    first = enrol(offered[:cut], {}, {})
    known: dict[str, frozenset[float]] = {}
    for new in first.new:
        known[new.reading.identity] = known.get(new.reading.identity, frozenset()) | {new.reading.value}
    second = enrol(offered[cut:], known, first.series)

    assert whole.outcomes == first.outcomes + second.outcomes
    assert whole.new == first.new + second.new
    assert whole.series == {**first.series, **second.series}


@given(offered=st.lists(readings, max_size=40))
def test_numbers_have_no_holes_and_the_last_is_the_count(offered: list[Reading]) -> None:
    """A consumer that misses one can tell."""
    done = enrol(offered, {}, {})
    for sensor, series in done.series.items():
        numbers = [new.n for new in done.new if new.reading.sensor_id == sensor]
        assert list(range(1, series.last_n + 1)) == numbers


@given(offered=st.lists(readings, max_size=20, unique_by=lambda r: (r.identity, r.value)), data=st.data())
def test_fingerprint_does_not_depend_on_order(offered: list[Reading], data: st.DataObject) -> None:
    """The loss oracle compares sets."""
    shuffled = data.draw(st.permutations(offered))
    marks = [
        {k: s.fingerprint for k, s in enrol(rows, {}, {}).series.items()} for rows in (offered, shuffled)
    ]

    assert marks[0] == marks[1]
