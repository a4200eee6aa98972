"""Records that refer to something not yet known: kept until it appears, or shown to a person."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.database import insert_into
from services.runtime.outbox import pack_headers, unpack_headers
from services.runtime.records import Record
from services.runtime.tables import RuntimeTables


class Parking:
    """Parked records of one service, by what they wait for."""

    def __init__(self, tables: RuntimeTables) -> None:
        self._table = tables.parked

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
        """Keep a record until ``waits_for`` is known or ``due_at`` has passed; say whether it was new."""
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
