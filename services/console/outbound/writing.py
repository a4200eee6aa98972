"""What one event changes in the read model. Every statement may come again and changes nothing then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Envelope
from schemas.events.base import Event
from services.console.tables import event, heard
from services.runtime.database import insert_into

Row = dict[str, Any]  # Any: values of columns


@dataclass(frozen=True, slots=True)
class Telling:
    """One event that is told to the read model, in the transaction of its batch."""

    conn: AsyncConnection
    envelope: Envelope

    @property
    def municipality(self) -> str:
        return self.envelope.municipality

    async def keep(
        self, said: Event, *, incident_id: str, subject_id: str, version: int | None = None
    ) -> None:
        """Add the event to the record of what happened."""
        row = {
            "municipality": self.municipality,
            "event_id": self.envelope.id,
            "type": self.envelope.type,
            "incident_id": incident_id,
            "subject_id": subject_id,
            "version": version,
            "exercise_id": self.envelope.exercise_id,
            "at": self.envelope.time,
            "body": said.model_dump(mode="json"),
        }
        await self.conn.execute(insert_into(self.conn, event).values(row).on_conflict_do_nothing())

    async def held(self, table: sa.Table, key: Row) -> sa.RowMapping | None:
        """Return a row of the town by its key, locked where rows can be."""
        wanted = sa.select(table).where(table.c.municipality == self.municipality)
        for name, value in key.items():
            wanted = wanted.where(table.c[name] == value)
        return (await self.conn.execute(wanted.with_for_update())).mappings().first()

    async def put(self, table: sa.Table, key: Row, row: Row) -> None:
        """Write a row of the town: these columns, whether it stood or not."""
        keys = {"municipality": self.municipality, **key}
        insert = insert_into(self.conn, table).values({**keys, **row})
        await self.conn.execute(insert.on_conflict_do_update(index_elements=list(keys), set_=row))

    async def put_version(
        self, table: sa.Table, key: Row, row: Row, held: sa.RowMapping | None, began_at: datetime
    ) -> None:
        """Write the newest version of a row; when it began stays as it was first said."""
        stamp = {"exercise_id": self.envelope.exercise_id, "at": self.envelope.time}
        began = {"began_at": held["began_at"] if held is not None else began_at}
        await self.put(table, key, {**row, **stamp, **began})

    async def note_heard(self, topic: str) -> None:
        """Keep the newest moment of which a topic spoke."""
        key = {"topic": topic}
        held = await self.held(heard, key)
        if held is None or self.envelope.time > held["at"]:
            await self.put(heard, key, {"at": self.envelope.time})
