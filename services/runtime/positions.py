"""How far each partition was read, kept beside what was made of it: a lost table is read again from 0.

The group's own offsets only say where to go on; what is missing in the tables is never skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.database import insert_into
from services.runtime.errors import ReadFrom
from services.runtime.records import Record
from services.runtime.tables import RuntimeTables

Place = tuple[str, int]


class Positions:
    """The table ``partition`` of a service that may read its topics again at any time."""

    def __init__(self, tables: RuntimeTables, owner: str) -> None:
        self._table = tables.partition
        self._owner = owner
        self._asked: dict[Place, int] = {}

    async def held(self, conn: AsyncConnection) -> dict[Place, int]:
        """Return the next offset of every partition of which anything was read."""
        t = self._table.c
        rows = await conn.execute(sa.select(t.topic, t.partition, t.next_offset))
        return {(row.topic, row.partition): int(row.next_offset) for row in rows}

    async def advance(self, conn: AsyncConnection, records: Sequence[Record]) -> None:
        """Note these records as read; the first thing a batch does.

        Raises:
            ReadFrom: Records before these were not yet read, or are not kept here any more. A hole that is
                still there after reading from it is one of the topic, and taken as it is.
        """
        missing: dict[Place, int] = {}
        for place, first, after in _spans(records):
            held = await self._locked(conn, place)
            if first > held and self._asked.get(place) != held:
                missing[place] = held
            else:
                await self._move(conn, place, max(held, after))
        self._asked = {**self._asked, **missing}
        if missing:
            raise ReadFrom(missing)
        for place, _, _ in _spans(records):
            self._asked.pop(place, None)

    async def forget(self, conn: AsyncConnection) -> None:
        """Begin anew; waits for the batches that are being handled elsewhere."""
        await conn.execute(sa.delete(self._table))

    async def _locked(self, conn: AsyncConnection, place: Place) -> int:
        t = self._table.c
        first = {"topic": place[0], "partition": place[1], "epoch": 0, "next_offset": 0, "owner": self._owner}
        await conn.execute(insert_into(conn, self._table).values(first).on_conflict_do_nothing())
        mine = (t.topic == place[0]) & (t.partition == place[1])
        wanted = sa.select(t.next_offset).where(mine).with_for_update()
        return int((await conn.execute(wanted)).scalar_one())

    async def _move(self, conn: AsyncConnection, place: Place, next_offset: int) -> None:
        t = self._table.c
        mine = (t.topic == place[0]) & (t.partition == place[1])
        new = {"next_offset": next_offset, "owner": self._owner}
        await conn.execute(sa.update(self._table).where(mine).values(new))


def behind(held: Mapping[Place, int], ends: Mapping[Place, int]) -> int:
    """Return how many records stand in these partitions behind what was read."""
    return sum(max(0, end - held.get(place, 0)) for place, end in ends.items())


def _spans(records: Iterable[Record]) -> list[tuple[Place, int, int]]:
    """Return per partition the first offset and the one after the last, in a fixed order."""
    found: dict[Place, tuple[int, int]] = {}
    for record in records:
        place = (record.topic, record.partition)
        first, after = found.get(place, (record.offset, record.offset + 1))
        found[place] = (min(first, record.offset), max(after, record.offset + 1))
    return [(place, first, after) for place, (first, after) in sorted(found.items())]
