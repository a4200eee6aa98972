"""Readings as columns: what is read of many rows at once, and each row again where somebody asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class Block:
    """Readings of one or more files.

    Attributes:
        names: Of all series so far, also of earlier blocks.
        files: Their names, likewise.
        at_us: When each was observed and is played, in microseconds since 1970.
        series: Its place in ``names``, or ODD.
        value: As the row says it; of an odd row no number.
        file, row: Where it stands.
        odd: The rows that are not plain, by file and row.
    """

    names: Sequence[Name]
    files: Sequence[str]
    at_us: Ints
    series: Ints
    value: Floats
    file: Ints
    row: Ints
    odd: Mapping[tuple[int, int], Recorded]

    def __len__(self) -> int:
        return len(self.at_us)

    @property
    def is_in_order(self) -> bool:
        return not (self.at_us[1:] < self.at_us[:-1]).any()

    def recorded(self, at: int) -> Recorded:
        """Return what a row says; a plain one says no more than the columns."""
        place = int(self.file[at]), int(self.row[at])
        if place in self.odd:
            return self.odd[place]
        moment = moment_of(int(self.at_us[at]))
        said = {**self.names[self.series[at]]._asdict(), "value": float(self.value[at])}
        return Recorded(moment, self.files[place[0]], place[1], {**said, "observed_at": moment.isoformat()})

    def some(self, which: slice | Ints) -> Block:
        """Return some of its rows, or all of them in another order."""
        return Block(
            self.names,
            self.files,
            self.at_us[which],
            self.series[which],
            self.value[which],
            self.file[which],
            self.row[which],
            self.odd,
        )

    def in_order(self) -> Block:
        """Return it by time; what is of one moment stays as it stood."""
        return self if self.is_in_order else self.some(np.argsort(self.at_us, kind="stable"))

    def whole_moments(self) -> int:
        """Return how many rows there are before the last moment, which may go on elsewhere."""
        return int(self.at_us.searchsorted(self.at_us[-1], "left")) if len(self) else 0


def joined(blocks: Sequence[Block]) -> Block:
    """Return blocks as one, in the order given."""
    return Block(
        blocks[-1].names,
        blocks[-1].files,
        np.concatenate([block.at_us for block in blocks]),
        np.concatenate([block.series for block in blocks]),
        np.concatenate([block.value for block in blocks]),
        np.concatenate([block.file for block in blocks]),
        np.concatenate([block.row for block in blocks]),
        {place: row for block in blocks for place, row in block.odd.items()},
    )


def us_of(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def moment_of(us: int) -> datetime:
    return EPOCH + MICROSECOND * us
