"""Recognise a repeat by the number ``n`` that ingest gave the reading. Pure."""

from __future__ import annotations

from typing import Final

MAX_GAPS: Final = 256
Gap = tuple[int, int]


def first_time(last_n: int, gaps: list[Gap], n: int) -> tuple[bool, int]:
    """Return whether ``n`` is new, and the highest number seen. ``gaps`` is changed in place.

    ``gaps`` holds the numbers not seen below ``last_n`` as closed ranges, ascending. Above MAX_GAPS the two
    oldest are joined with what lies between: a reading may then be folded again, which the window
    recognises by its time; it is never taken for a repeat that it is not.
    """
    if n > last_n:
        if n > last_n + 1:
            gaps.append((last_n + 1, n - 1))
            _bound(gaps)
        return True, n
    for place, (low, high) in enumerate(gaps):
        if low <= n <= high:
            gaps[place : place + 1] = [part for part in ((low, n - 1), (n + 1, high)) if part[0] <= part[1]]
            _bound(gaps)
            return True, last_n
    return False, last_n


def _bound(gaps: list[Gap]) -> None:
    while len(gaps) > MAX_GAPS:
        gaps[0:2] = [(gaps[0][0], gaps[1][1])]
