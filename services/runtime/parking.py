"""Records that refer to something not yet known: kept until it appears, or shown to a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.database import insert_into
from services.runtime.errors import ParkingFull
from services.runtime.outbox import pack_headers, unpack_headers
from services.runtime.records import Record
from services.runtime.tables import RuntimeTables

PER_KEY_MOST: Final = 100
"""People who decide about one incident: more is a fault of a program, or an attack."""

TOWN_MOST: Final = 10_000
"""In all of a town; at 64 KiB each they are 640 MB, which a disk can bear."""


class Parking:
    """Parked records of one service, by what they wait for."""

    def __init__(
        self, tables: RuntimeTables, *, per_key_most: int = PER_KEY_MOST, town_most: int = TOWN_MOST
    ) -> None:
        self._table = tables.parked
        self._per_key_most = per_key_most
        self._town_most = town_most

    async def park(
        self,
        conn: AsyncConnection,
        municipality: str,
        waits_for: str,
        event_id: str,
        record: Record,
        at: datetime,
        due_at: datetime,
    ) -> bool:
        """Keep a record until ``waits_for`` is known or ``due_at`` has passed; say whether it was new.

        Raises:
            ParkingFull: It is new, and as many wait as are kept; nothing of it was.
        """
        if await self._is_parked(conn, municipality, waits_for, event_id):
            return False
        await self._make_sure_of_room(conn, municipality, waits_for)
        row = {
            "municipality": municipality,
            "waits_for": waits_for,
            "event_id": event_id,
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "key": record.key,
            "headers": pack_headers(record.headers),
            "value": record.value,
            "parked_at": at,
            "due_at": due_at,
        }
        insert = insert_into(conn, self._table).values(row).on_conflict_do_nothing()
        return (await conn.execute(insert)).rowcount == 1

    async def awaited(self, conn: AsyncConnection, municipality: str, candidates: Sequence[str]) -> list[str]:
        """Return, of these, what anything waits for; in their order."""
        t = self._table.c
        wanted = sa.select(t.waits_for).where(t.municipality == municipality).distinct()
        found = set((await conn.execute(wanted)).scalars()) if candidates else set()
        return [each for each in candidates if each in found]

    async def waiting(self, conn: AsyncConnection) -> int:
        """Return how many wait, of all towns."""
        t = self._table
        count = sa.select(sa.func.count()).select_from(t).where(t.c.shown_at.is_(None))
        return int((await conn.execute(count)).scalar_one())

    async def _is_parked(
        self, conn: AsyncConnection, municipality: str, waits_for: str, event_id: str
    ) -> bool:
        t = self._table.c
        same = (t.municipality == municipality) & (t.waits_for == waits_for) & (t.event_id == event_id)
        return (await conn.execute(sa.select(t.event_id).where(same))).first() is not None

    async def _make_sure_of_room(self, conn: AsyncConnection, municipality: str, waits_for: str) -> None:
        t = self._table
        waits = (t.c.municipality == municipality) & t.c.shown_at.is_(None)
        same_key = sa.func.coalesce(sa.func.sum(sa.case((t.c.waits_for == waits_for, 1), else_=0)), 0)
        in_all, for_key = (await conn.execute(sa.select(sa.func.count(), same_key).where(waits))).one()
        if for_key >= self._per_key_most or in_all >= self._town_most:
            raise ParkingFull(f"{for_key} records wait for {waits_for}, {in_all} in all")

    async def take(self, conn: AsyncConnection, municipality: str, waits_for: str) -> list[Record]:
        """Return and forget what waited for this, in the order in which it was parked."""
        t = self._table
        same = (t.c.municipality == municipality) & (t.c.waits_for == waits_for)
        wanted = sa.select(t).where(same).order_by(t.c.parked_at, t.c.offset)
        records = [_record(row) for row in (await conn.execute(wanted)).mappings()]
        if records:
            await conn.execute(sa.delete(t).where(same))
        return records

    async def overdue(
        self, conn: AsyncConnection, now: datetime, limit: int = 100
    ) -> list[tuple[str, str, Record]]:
        """Return ``(municipality, waits_for, record)`` of what was awaited in vain, each once."""
        t = self._table
        late = (t.c.due_at <= now) & t.c.shown_at.is_(None)
        rows = (
            (await conn.execute(sa.select(t).where(late).order_by(t.c.due_at).limit(limit))).mappings().all()
        )
        for row in rows:
            same = (t.c.municipality == row["municipality"]) & (t.c.waits_for == row["waits_for"])
            one = same & (t.c.event_id == row["event_id"])
            await conn.execute(sa.update(t).where(one).values(shown_at=now))
        return [(row["municipality"], row["waits_for"], _record(row)) for row in rows]

    async def next_due(self, conn: AsyncConnection) -> datetime | None:
        t = self._table
        soonest = sa.select(sa.func.min(t.c.due_at)).where(t.c.shown_at.is_(None))
        due: datetime | None = (await conn.execute(soonest)).scalar_one_or_none()
        return due


def _record(row: sa.RowMapping) -> Record:
    headers = unpack_headers(row["headers"])
    return Record(row["topic"], row["partition"], row["offset"], row["key"], row["value"], headers)
