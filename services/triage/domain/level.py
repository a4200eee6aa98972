"""Say which level a series of readings stands for: rows with hysteresis, readings that agree. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

MAX_REMEMBERED: Final = 4096
INFINITE: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Row:
    """One level of a rule.

    Attributes:
        raise_at: At or above this the level is reached, in the rule's unit.
        clear_below: Below this it is left. Not above ``raise_at``, so a river hovering at the limit does
            not ring every phone twice.
    """

    level: int
    raise_at: float
    clear_below: float

    def __post_init__(self) -> None:
        if self.clear_below > self.raise_at:
            raise ValueError(f"level {self.level}: clear_below stands above raise_at")


class Standing(NamedTuple):
    """Where a series stands after a reading.

    Attributes:
        level: 0, or the level of a row.
        above: Per row, how many readings in a row were at or above ``raise_at``, counted up to ``confirm``.
        below: Per row, how many in a row were below ``clear_below``, counted up to ``confirm``.
        edition: Of the ladder that counted; another edition's counts say nothing about these rows.
    """

    level: int
    above: tuple[int, ...]
    below: tuple[int, ...]
    edition: int = 0


class Ladder:
    """The rows of one rule in ascending order, and how many consecutive readings must agree.

    ``edition`` tells the rows of one rule at different dates apart.
    """

    __slots__ = ("_bounds", "_known", "_levels", "confirm", "edition", "rows")

    def __init__(self, rows: Sequence[Row], confirm: int, edition: int = 0) -> None:
        if confirm < 1:
            raise ValueError("confirm must be at least 1")
        if any(low.level >= high.level for low, high in pairwise(rows)):
            raise ValueError("rows must stand in ascending order of level")
        self.rows = tuple(rows)
        self._levels = frozenset({0, *(row.level for row in rows)})
        self.confirm = confirm
        self.edition = edition
        self._bounds = sorted({bound for row in rows for bound in (row.raise_at, row.clear_below)})
        self._known: dict[tuple[Standing, int], Standing] = {}

    def start(self) -> Standing:
        """Return normal: nothing seen yet."""
        none = (0,) * len(self.rows)
        return Standing(0, none, none, self.edition)

    def adopt(self, standing: Standing) -> Standing:
        """Take over a standing that another edition of the rule left: its level, not its counts."""
        is_ours = standing.edition == self.edition and len(standing.above) == len(self.rows)
        if is_ours and standing.level in self._levels:
            return standing
        kept = max((row.level for row in self.rows if row.level <= standing.level), default=0)
        return self.start()._replace(level=kept)

    def step(self, before: Standing, value: float) -> Standing:
        """Return where the series stands after ``value``.

        Between two neighbouring bounds every value means the same, so the answer is remembered per
        band: a quiet river costs one look-up.
        """
        known = (before, bisect_right(self._bounds, value))
        after = self._known.get(known)
        if after is None:
            after = next_standing(self.rows, self.confirm, before, value)
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            self._known[known] = after
        return after

    def calm(self, standing: Standing, value: float) -> tuple[float, float] | None:
        """Return between which values, up to and without the second, a series at ``standing`` stays there.

        None when ``value`` itself would move it, or when another edition counted.
        """
        band = bisect_right(self._bounds, value)
        if self.adopt(standing) is not standing or self.step(standing, value) != standing:
            return None
        low = self._bounds[band - 1] if band else -INFINITE
        high = self._bounds[band] if band < len(self._bounds) else INFINITE
        return low, high


def next_standing(rows: Sequence[Row], confirm: int, before: Standing, value: float) -> Standing:
    """Return the standing after one more reading.

    It rises to the highest row whose ``raise_at`` was reached ``confirm`` times in a row. It falls when
    ``confirm`` readings in a row were below the present row's ``clear_below``: to the highest lower row
    that was not left by as many, else to normal.
    """
    reached = kept = 0
    above, below = [], []
    for row, over, under in zip(rows, before.above, before.below, strict=True):
        above.append(min(over + 1, confirm) if value >= row.raise_at else 0)
        below.append(min(under + 1, confirm) if value < row.clear_below else 0)
        if above[-1] >= confirm:
            reached = row.level  # Rows stand in ascending order.
        if below[-1] < confirm and row.level <= before.level:
            kept = row.level
    return Standing(max(reached, kept), tuple(above), tuple(below), before.edition)


@lru_cache(maxsize=MAX_REMEMBERED)
def waiting_row(ladder: Ladder, before: Standing, after: Standing) -> tuple[Row, int] | None:
    """Return the highest row that this reading reached without being confirmed yet, and the count so far."""
    for row, count, count_before in zip(
        reversed(ladder.rows), reversed(after.above), reversed(before.above), strict=True
    ):
        if row.level > after.level and count_before < count < ladder.confirm:
            return row, count
    return None
