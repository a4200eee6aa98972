"""The thresholds as a bare loop holds them: four levels, hysteresis, two readings that agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

ROWS: Final = ((1, 1.0, 0.9), (2, 2.0, 1.9), (3, 3.0, 2.9), (4, 4.0, 3.9))
"""Level, raised at, cleared below; in metres."""

_INFINITE: Final = float("inf")
BOUNDS: Final = tuple(
    (ROWS[level - 1][2] if level else -_INFINITE, ROWS[level][1] if level < len(ROWS) else _INFINITE)
    for level in range(len(ROWS) + 1)
)
"""Per level: it stays while one of two readings is not below the first and one is below the second."""


def level_after(level: int, before: float, value: float) -> int:
    """Return the level after ``value``, when ``before`` was the reading in front of it."""
    low, high = (before, value) if before < value else (value, before)
    stays, rises = BOUNDS[level]
    if high >= stays and low < rises:
        return level
    reached = sum(low >= row[1] for row in ROWS)
    kept = max((row[0] for row in ROWS[:level] if high >= row[2]), default=0)
    return max(reached, kept)


def changes(values: Sequence[float]) -> list[tuple[int, int, int]]:
    """Return every change in a series: place, level before, level after."""
    found, level, before = [], 0, -_INFINITE
    for place, value in enumerate(values):
        after = level_after(level, before, value)
        if after != level:
            found.append((place, level, after))
        level, before = after, value
    return found
