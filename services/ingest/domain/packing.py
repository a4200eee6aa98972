"""Pack accepted readings into as few records as order allows. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from schemas.events.readings import Measurement

PACK_MOST: Final = 500


@dataclass(frozen=True, slots=True)
class Waiting:
    """An accepted reading that no record carries yet.

    Attributes:
        row_id: Ascending in the order of acceptance within each sensor.
    """

    row_id: int
    municipality: str
    partition: int
    measurement: Measurement


@dataclass(frozen=True, slots=True)
class Pack:
    """The readings of one record: one partition, one town, in the order accepted."""

    municipality: str
    partition: int
    rows: tuple[Waiting, ...]


def pack(waiting: Iterable[Waiting], most: int = PACK_MOST) -> list[Pack]:
    """Return the packs, oldest first; a sensor's readings keep their order because its partition does."""
    open_packs: dict[tuple[str, int], list[Waiting]] = {}
    packs: list[list[Waiting]] = []
    for row in waiting:
        key = (row.municipality, row.partition)
        rows = open_packs.get(key)
        if rows is None or len(rows) >= most:
            rows = open_packs[key] = []
            packs.append(rows)
        rows.append(row)
    return [Pack(rows[0].municipality, rows[0].partition, tuple(rows)) for rows in packs]
