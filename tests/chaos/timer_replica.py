"""``DATABASE=… python -m tests.chaos.timer_replica``: fires what is due in a database that others share."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
import uvloop
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.clock import Clock, DatabaseClock, keep_right
from services.runtime.database import Database
from services.runtime.tables import UtcDateTime, runtime_tables
from services.runtime.timers import Timer, Timers, make_scheduler

TOWN, KIND, STEP = "caos", "escalation", "1"
ADDRESS = "DATABASE"

METADATA = sa.MetaData()
TABLES = runtime_tables(METADATA)
FIRED = sa.Table(
    "fired",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("subject", sa.String(32), nullable=False),
    sa.Column("due_at", UtcDateTime, nullable=False),
    sa.Column("fired_at", UtcDateTime, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
)


def timers_of(db: Database, clock: Clock) -> Timers:
    """Return timers that write down each firing in the transaction that ends the timer."""
    timers = Timers(db, TABLES, clock)

    async def on_due(conn: AsyncConnection, timer: Timer) -> None:
        row = {"subject": timer.subject, "due_at": timer.due_at, "fired_at": clock.now(), "pid": os.getpid()}
        await conn.execute(sa.insert(FIRED).values(row))

    timers.on(KIND, on_due)
    return timers


async def set_all(db: Database, timers: Timers, due_at: Iterable[tuple[str, datetime]]) -> None:
    async with db.transaction() as conn:
        for subject, moment in due_at:
            await timers.set(conn, TOWN, KIND, subject, STEP, moment)


async def main() -> None:
    db = Database(os.environ[ADDRESS])
    clock = DatabaseClock(db)
    await clock.refresh()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    scheduler = make_scheduler()
    timers_of(db, clock).start(scheduler)
    scheduler.start()
    right = asyncio.create_task(keep_right(clock))
    await stop.wait()
    right.cancel()
    scheduler.shutdown(wait=False)
    await db.close()


if __name__ == "__main__":
    uvloop.run(main())
