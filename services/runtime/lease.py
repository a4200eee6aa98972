"""One worker at a time per service: a row with an epoch and an end."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.database import Database, insert_into
from services.runtime.errors import Fenced
from services.runtime.tables import RuntimeTables

LEASE_TTL = timedelta(seconds=15)


class Lease:
    """Held until it runs out, is taken over by the same holder restarted, or is released.

    Real time, never the town's: on PostgreSQL the database's clock, on SQLite the machine's.

    Args:
        holder: Stable name of this process (service and slot), so that a restart takes over at once.
    """

    def __init__(
        self, db: Database, tables: RuntimeTables, name: str, holder: str, ttl: timedelta = LEASE_TTL
    ) -> None:
        self._db = db
        self._table = tables.lease
        self._name = name
        self._holder = holder
        self._ttl = ttl
        self._renew_at_s = 0.0
        self.epoch: int | None = None

    async def hold(self) -> bool:
        """Take or keep the lease; say whether it is ours. Asks the database only when it must."""
        if self.epoch is not None and time.monotonic() < self._renew_at_s:
            return True
        async with self._db.transaction() as conn:
            if self.epoch is not None:
                try:
                    await self.renew(conn)
                except Fenced:
                    return False
                return True
            return await self._take(conn)

    async def _take(self, conn: AsyncConnection) -> bool:
        t, now = self._table, _now(conn)
        free = (t.c.expires_at < now) | (t.c.holder == self._holder)
        mine = {"holder": self._holder, "expires_at": now + self._ttl}
        insert = insert_into(conn, t).values(name=self._name, epoch=1, **mine)
        taken = await conn.execute(
            insert.on_conflict_do_update(
                index_elements=[t.c.name], set_={"epoch": t.c.epoch + 1, **mine}, where=free
            ).returning(t.c.epoch)
        )
        self.epoch = taken.scalar_one_or_none()
        self._renewed()
        return self.epoch is not None

    async def renew(self, conn: AsyncConnection) -> None:
        """Prolong the lease inside a transaction that relies on it.

        Raises:
            Fenced: Another process took it; the transaction must not be committed.
        """
        t = self._table
        is_mine = (t.c.name == self._name) & (t.c.epoch == self.epoch) & (t.c.holder == self._holder)
        done = await conn.execute(sa.update(t).where(is_mine).values(expires_at=_now(conn) + self._ttl))
        if done.rowcount != 1:
            self.epoch = None
            raise Fenced(f"lease {self._name} was taken by another process")
        self._renewed()

    async def release(self) -> None:
        """Let another process take over at once."""
        if self.epoch is None:
            return
        async with self._db.transaction() as conn:
            t = self._table
            is_mine = (t.c.name == self._name) & (t.c.epoch == self.epoch)
            await conn.execute(
                sa.update(t).where(is_mine).values(expires_at=datetime(1970, 1, 1, tzinfo=UTC))
            )
        self.epoch = None

    def _renewed(self) -> None:
        self._renew_at_s = time.monotonic() + self._ttl.total_seconds() / 3


def _now(conn: AsyncConnection) -> Any:
    if conn.dialect.name == "postgresql":
        return sa.func.clock_timestamp()
    return datetime.now(UTC)
