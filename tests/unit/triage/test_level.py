"""The ladder: hysteresis and readings that agree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.triage.domain.level import Ladder, Row, Standing

ROWS = (Row(2, 2.5, 2.4), Row(3, 3.0, 2.9), Row(4, 3.6, 3.5))


def after(ladder: Ladder, values: list[float], start: Standing | None = None) -> Standing:
    standing = start or ladder.start()
    for value in values:
        standing = ladder.step(standing, value)
    return standing


@pytest.mark.parametrize(
    ("values", "level"),
    [
        ([2.99], 2),
        ([3.0], 3),
        ([3.0, 2.9], 3),
        ([3.0, 2.89], 2),
        ([3.0, 2.39], 0),
        ([3.7], 4),
        ([3.7, 2.95], 3),
        ([2.4], 0),
    ],
    ids=[
        "one centimetre under",
        "at the limit",
        "at the lower bound",
        "under the lower bound",
        "far under",
        "straight to the top",
        "one step down",
        "inside the band from below",
    ],
)
def test_one_reading_decides_when_no_second_is_asked(values: list[float], level: int) -> None:
    assert level == after(Ladder(ROWS, 1), values).level


def test_second_reading_must_agree() -> None:
    """One reading above is not a flood; one below is not its end."""
    ladder = Ladder(ROWS, 2)
    assert after(ladder, [3.1]).level == 0
    assert after(ladder, [3.1, 2.0, 3.1]).level == 0
    assert after(ladder, [3.1, 3.2]).level == 3
    assert after(ladder, [3.1, 3.2, 2.0]).level == 3
    assert after(ladder, [3.1, 3.2, 2.0, 2.0]).level == 0


def test_fall_stops_at_the_row_that_was_not_left() -> None:
    """Two readings under level 3 and only one of them under level 2: level 2 stands."""
    assert after(Ladder(ROWS, 2), [3.1, 3.2, 2.8, 2.3]).level == 2


@given(
    values=st.permutations([2.9, 2.91, 2.95, 2.99, 2.999, 2.92, 2.9]),
    confirm=st.integers(1, 4),
    level=st.sampled_from([2, 3]),
)
def test_no_order_of_readings_flips_it_inside_the_band(values: list[float], confirm: int, level: int) -> None:
    """Between clear_below and raise_at of level 3 whatever stood, stands."""
    ladder = Ladder(ROWS, confirm)
    start = after(ladder, [{2: 2.6, 3: 3.1}[level]] * confirm)
    assert start.level == level
    standing = start
    for value in values:
        standing = ladder.step(standing, value)
        assert standing.level == level


@given(values=st.lists(st.floats(0, 5), max_size=60), confirm=st.integers(1, 3))
def test_memory_of_bands_changes_no_answer(values: list[float], confirm: int) -> None:
    """The remembered step and a fresh ladder's step agree."""
    ladder, standing = Ladder(ROWS, confirm), Ladder(ROWS, confirm).start()
    for value in values:
        assert ladder.step(standing, value) == Ladder(ROWS, confirm).step(standing, value)
        standing = ladder.step(standing, value)


@given(values=st.lists(st.floats(0, 5), max_size=60))
def test_it_never_rises_without_enough_readings(values: list[float]) -> None:
    """A level above the last one needs two readings in a row at or above its row."""
    ladder = Ladder(ROWS, 2)
    standing = ladder.start()
    for before, value in zip([0.0, *values], values, strict=False):
        following = ladder.step(standing, value)
        if following.level > standing.level:
            row = next(row for row in ROWS if row.level == following.level)
            assert min(before, value) >= row.raise_at
        standing = following


@pytest.mark.parametrize(
    ("rows", "confirm"),
    [((Row(2, 2.5, 2.4), Row(2, 3.0, 2.9)), 1), ((Row(3, 2.5, 2.4), Row(2, 3.0, 2.9)), 1), (ROWS, 0)],
    ids=["same level twice", "descending", "no reading at all"],
)
def test_nonsense_is_refused(rows: tuple[Row, ...], confirm: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        Ladder(rows, confirm)


def test_clear_above_raise_is_refused() -> None:
    with pytest.raises(ValueError, match="clear_below"):
        Row(2, 2.5, 2.6)


def test_new_edition_with_other_rows_keeps_the_level() -> None:
    """A threshold that changes overnight does not end a flood."""
    standing = after(Ladder(ROWS, 1), [3.1])
    two_rows = Ladder((Row(2, 2.0, 1.9), Row(3, 2.5, 2.4)), 1)
    assert two_rows.adopt(standing).level == 3
    assert Ladder(ROWS, 2, edition=7).adopt(after(Ladder(ROWS, 2), [3.1])).above == (0, 0, 0)
    assert Ladder((Row(2, 2.0, 1.9),), 1).adopt(standing).level == 2
