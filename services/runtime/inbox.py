"""Which events a consumer has already acted upon."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.database import insert_into
from services.runtime.tables import RuntimeTables


class Inbox:
    """Marks in the same transaction as the work that they stand for."""

    def __init__(self, tables: RuntimeTables) -> None:
        self._table = tables.inbox

    async def first_time(
        self, conn: AsyncConnection, municipality: str, consumer: str, event_id: str, at: datetime
    ) -> bool:
        """Mark the event as handled by ``consumer``; say whether it was new."""
        row = {"municipality": municipality, "consumer": consumer, "event_id": event_id, "at": at}
        done = await conn.execute(insert_into(conn, self._table).values(row).on_conflict_do_nothing())
        return done.rowcount == 1
