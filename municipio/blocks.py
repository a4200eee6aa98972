"""Readings as columns: what is read of many rows at once, and each row again where somebody asks for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from municipio.rows import Recorded
from schemas.fingerprint import EPOCH, MICROSECOND

ODD: Final = -1
"""In place of a series: the row is not plain."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Name(NamedTuple):
    """What a reading is of, as the file says it."""

    sensor_id: str
    property: str
    unit: str


@dataclass(slots=True)
class Block:
    """Readings in the order of their times. A moment stands whole in one block.

    Attributes:
        names: Of all series so far, also of earlier blocks.
        at_us: When each was observed and is played, in microseconds since 1970.
        series: Its place in ``names``, or ODD.
        value: As the row says it; of an odd row no number.
    """

    names: Sequence[Name]
    at_us: Ints
    series: Ints
    value: Floats
    _numbers: Ints
    _places: Ints
    _cells: list[list[str]]
    _odd: dict[int, Recorded]
    _as_row: Callable[[int, list[str]], Recorded]

    def __len__(self) -> int:
        return len(self.at_us)

    def recorded(self, at: int) -> tuple[int, Recorded]:
        """Return the number of a row and what it says."""
        number = int(self._numbers[at])
        if number in self._odd:
            return number, self._odd[number]
        place = self._places[at]
        return number, self._as_row(number, [column[place] for column in self._cells])

    def cut(self) -> tuple[Block, Block]:
        """Return what comes before the last moment, and the last moment."""
        end = int(np.searchsorted(self.at_us, self.at_us[-1], "left")) if len(self) else 0
        return self._part(0, end), self._part(end, len(self))

    def with_more(self, more: Block) -> Block:
        """Return both as one; the rows of ``more`` follow, and it is used up."""
        places = np.where(more._places >= 0, more._places + len(self._cells[0]), more._places)
        for before, after in zip(self._cells, more._cells, strict=True):
            after[:0] = before
        return Block(
            more.names,
            np.concatenate((self.at_us, more.at_us)),
            np.concatenate((self.series, more.series)),
            np.concatenate((self.value, more.value)),
            np.concatenate((self._numbers, more._numbers)),
            np.concatenate((self._places, places)),
            more._cells,
            {**self._odd, **more._odd},
            more._as_row,
        )

    def _part(self, begin: int, end: int) -> Block:
        places, cells = self._places[begin:end], self._cells
        if begin:
            first = int(min(places[places >= 0], default=len(cells[0])))
            places = np.where(places >= 0, places - first, places)
            cells = [column[first:] for column in cells]
        numbers = self._numbers[begin:end]
        odd = {number: self._odd[number] for number in numbers.tolist() if number in self._odd}
        return Block(
            self.names, self.at_us[begin:end], self.series[begin:end], self.value[begin:end],
            numbers, places, cells, odd, self._as_row,
        )  # fmt: skip


def us_of(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def moment_of(us: int) -> datetime:
    return EPOCH + MICROSECOND * us
