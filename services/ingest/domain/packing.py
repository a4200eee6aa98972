"""Pack accepted readings into as few records as order allows. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

PACK_MOST: Final = 500


class Waiting(NamedTuple):
    """Accepted readings that no record carries yet: one, or some that were packed before.

    Attributes:
        row_id: Ascending in the order of acceptance within each sensor.
        measurement: Whatever stands for them; nothing here looks into it.
        readings: How many it is.
    """

    row_id: int
    municipality: str
    partition: int
    measurement: Any
    readings: int = 1


class Pack(NamedTuple):
    """The readings of one record: one partition, one town, in the order accepted."""

    municipality: str
    partition: int
    rows: tuple[Waiting, ...]


def pack(waiting: Iterable[Waiting], most: int = PACK_MOST) -> list[Pack]:
    """Return the packs, oldest first; a sensor's readings keep their order because its partition does."""
    open_packs: dict[tuple[str, int], list[Waiting]] = {}
    room: dict[tuple[str, int], int] = {}
    packs: list[list[Waiting]] = []
    for row in waiting:
        key = (row.municipality, row.partition)
        left = room.get(key, 0) - row.readings
        if left < 0:
            left = most - row.readings
            open_packs[key] = [row]
            packs.append(open_packs[key])
        else:
            open_packs[key].append(row)
        room[key] = left
    return [Pack(rows[0].municipality, rows[0].partition, tuple(rows)) for rows in packs]
