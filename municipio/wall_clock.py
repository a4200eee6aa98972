"""Local times without an offset: which moment is meant when clocks go forward or back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timezone, tzinfo
from itertools import pairwise
from typing import Any


class Ambiguous(ValueError):
    """A local time that occurs twice, because clocks went back.

    Attributes:
        sensor: Whose row it stands in, where the row says so.
    """

    def __init__(self, naive: datetime) -> None:
        super().__init__("this local time occurs twice (clocks went back) and nothing tells which is meant")
        self.naive = naive
        self.sensor = ""


def placed(naive: datetime, zone: tzinfo, fold: int | None) -> datetime:
    """Return a local time with its zone; ``fold`` as in ``datetime``, where it is known.

    Raises:
        Ambiguous: It occurs twice, and ``fold`` is None.
        ValueError: It does not exist.
    """
    first = naive.replace(tzinfo=zone, fold=0)
    if isinstance(zone, timezone):
        return first
    second = first.replace(fold=1)
    if first.utcoffset() == second.utcoffset():
        return first
    if first.utcoffset() < second.utcoffset():  # type: ignore[operator] # a zone has an offset
        raise ValueError(f"this local time does not exist in {zone} (clocks went forward)")
    if fold is None:
        raise Ambiguous(naive)
    return second if fold else first


class SetBack:
    """Rows of hours that occur twice, kept until their order tells the two apart."""

    def __init__(self, newest_first: bool) -> None:
        self._newest_first = newest_first
        self._hours: dict[tuple[str, date], list[tuple[datetime, Any]]] = defaultdict(list)

    def add(self, naive: datetime, sensor: str, row: Any) -> None:
        self._hours[sensor, naive.date()].append((naive, row))

    def told_apart(self, *, is_ordered: bool) -> Iterator[tuple[Any, int | None]]:
        """Yield each row with its fold; None where nothing tells, because times go back more than once.

        In a file that goes forward, what stands behind the one step back is the second time; in one that
        goes back, what stands before the one step forward. An hour without such a step was written once:
        it is taken for the first.
        """
        for rows in self._hours.values():
            steps = [at for at, (a, b) in enumerate(pairwise(rows), start=1) if self._turns(a[0], b[0])]
            for at, (_, row) in enumerate(rows):
                if not is_ordered or len(steps) > 1:
                    yield row, None
                elif not steps:
                    yield row, 0
                else:
                    yield row, int((at < steps[0]) == self._newest_first)

    def _turns(self, before: datetime, after: datetime) -> bool:
        return after > before if self._newest_first else after < before
