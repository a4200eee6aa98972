"""``python -m tests.chaos.timekeeper FILE TIMERS SECONDS``: timers of the runtime in a process of their own.

Sets that many timers, spread over that time, and writes down in the same file when each fired and when the
machine's clock was set. Ends when no timer is left, or long after the last was due.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import time
from datetime import datetime, timedelta

import sqlalchemy as sa
import uvloop
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.clock import clock_for
from services.runtime.database import Database
from services.runtime.settings import RuntimeSettings
from services.runtime.tables import runtime_tables
from services.runtime.timers import Timer, Timers, make_scheduler

TOWN, KIND = "caos", "escalation"
FIRST_AFTER_S = 1.0
PATIENCE_S = 20.0
LOOK_EVERY_S = 0.05
STEP_S_LEAST = 0.4

METADATA = sa.MetaData()
TABLES = runtime_tables(METADATA)
# Seconds are of the monotonic clock, which nobody sets; ``late_s`` is by the database's clock.
WAS_SET = sa.Table(
    "was_set",
    METADATA,
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("due_s", sa.Float, nullable=False),
)
FIRED = sa.Table(
    "fired",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("late_s", sa.Float, nullable=False),
    sa.Column("at_s", sa.Float, nullable=False),
)
STEPPED = sa.Table(
    "stepped",
    METADATA,
    sa.Column("at_s", sa.Float, nullable=False),
    sa.Column("by_s", sa.Float, nullable=False),
    sa.Column("utc_offset_s", sa.Float, nullable=False),
)


async def main(path: str, count: int, over_s: float) -> None:
    db = Database(f"sqlite:///{path}")
    await db.create_all(METADATA)
    # As in production: a town's clock is no clock that could be set.
    clock = clock_for(RuntimeSettings(environment="production"), db)
    timers = Timers(db, TABLES, clock)

    async def on_due(conn: AsyncConnection, timer: Timer) -> None:
        late_s = (clock.now() - timer.due_at).total_seconds()
        await conn.execute(
            sa.insert(FIRED).values(subject=timer.subject, late_s=late_s, at_s=time.monotonic())
        )

    timers.on(KIND, on_due)
    begins, begins_s = clock.now(), time.monotonic()
    draw = random.Random(f"timekeeper {count}")
    waits_s = [FIRST_AFTER_S + draw.uniform(0, over_s) for _ in range(count)]
    async with db.transaction() as conn:
        for number, wait_s in enumerate(waits_s):
            due_at = begins + timedelta(seconds=wait_s)
            await timers.set(conn, TOWN, KIND, f"t-{number}", "1", due_at)
            row = {"subject": f"t-{number}", "due_s": begins_s + wait_s}
            await conn.execute(sa.insert(WAS_SET).values(row))
    scheduler = make_scheduler()
    timers.start(scheduler)
    scheduler.start()
    print("ready", flush=True)
    try:
        await _watch_the_machine(db, begins_s + FIRST_AFTER_S + over_s + PATIENCE_S, timers)
    finally:
        scheduler.shutdown(wait=False)
        await db.close()


async def _watch_the_machine(db: Database, until_s: float, timers: Timers) -> None:
    """Write down each step of the machine's clock until no timer is left and the clock stands right."""
    first_s = ahead_s = _ahead_s()
    offset_s = _utc_offset_s()
    while time.monotonic() < until_s:
        await asyncio.sleep(LOOK_EVERY_S)
        step_s, offset_before_s, offset_s = _ahead_s() - ahead_s, offset_s, _utc_offset_s()
        if abs(step_s) >= STEP_S_LEAST or offset_s != offset_before_s:
            ahead_s += step_s
            seen = {"at_s": time.monotonic(), "by_s": step_s, "utc_offset_s": offset_s}
            async with db.transaction() as conn:
                await conn.execute(sa.insert(STEPPED).values(seen))
        async with db.reading() as conn:
            if abs(ahead_s - first_s) < STEP_S_LEAST and await timers.next_due(conn) is None:
                return


def _ahead_s() -> float:
    return time.time() - time.monotonic()


def _utc_offset_s() -> float:
    offset = datetime.now().astimezone().utcoffset()
    return offset.total_seconds() if offset else 0.0


if __name__ == "__main__":
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
