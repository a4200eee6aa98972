"""Repeats are recognised by number; nothing is taken for a repeat that it is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.triage.domain.seen import MAX_GAPS, first_time


@given(st.lists(st.integers(1, 60), max_size=120))
def test_each_number_is_new_exactly_once(numbers: list[int]) -> None:
    """In any order and any doubling."""
    seen: set[int] = set()
    last_n, gaps = 0, []
    for n in numbers:
        is_new, last_n = first_time(last_n, gaps, n)
        assert is_new == (n not in seen)
        seen.add(n)
    assert last_n == max(seen, default=0)
    missing = {n for low, high in gaps for n in range(low, high + 1)}
    assert missing == set(range(1, last_n + 1)) - seen


def test_gaps_are_bounded_and_nothing_missing_is_forgotten() -> None:
    """Above the bound the oldest are joined: a missing number still counts as new when it comes."""
    last_n, gaps = 0, []
    for n in range(2, 4 * MAX_GAPS, 2):
        _, last_n = first_time(last_n, gaps, n)
    assert len(gaps) == MAX_GAPS
    assert first_time(last_n, gaps, 1)[0]
    assert first_time(last_n, gaps, 3)[0]
