"""Due times are rows; APScheduler only ticks. A restart or a second replica loses and doubles nothing."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime import metrics
from services.runtime.clock import Clock
from services.runtime.database import Database, insert_into
from services.runtime.errors import DatabaseBusy, Retriable
from services.runtime.steady_scheduler import SteadyScheduler
from services.runtime.tables import RuntimeTables

log = structlog.get_logger()

TICK_S = 0.25
A_ROUND = 500
# One turn of the writer: what a hundred statuses of messages take, too.
A_TURN, A_TURN_S = 50, 0.1
RETRY_S = 1.0
RETRY_S_MAX = 300.0


@dataclass(frozen=True, slots=True)
class Timer:
    """One due time. Its identity is the first four; setting it again moves it."""

    municipality: str
    kind: str
    subject: str
    step: str
    due_at: datetime
    attempts: int = 0


Handler = Callable[[AsyncConnection, Timer], Awaitable[None]]


class Timers:
    """Timers of one service. A handler runs in the transaction that removes its timer, so once.

    Several share a transaction, each behind a savepoint of its own (ADR 0018).
    """

    def __init__(self, db: Database, tables: RuntimeTables, clock: Clock) -> None:
        self._db = db
        self._table = tables.timer
        self._clock = clock
        self._handlers: dict[str, Handler] = {}

    def on(self, kind: str, handler: Handler) -> None:
        """Have ``handler`` called, in one transaction with the timer's end, when a ``kind`` is due."""
        if kind in self._handlers:
            raise ValueError(f"timer kind {kind!r} has a handler already")
        self._handlers[kind] = handler

    async def set(
        self, conn: AsyncConnection, municipality: str, kind: str, subject: str, step: str, due_at: datetime
    ) -> None:
        """Set a timer, or move it when it is set already."""
        t = self._table
        due = {"due_at": due_at, "try_at": due_at, "attempts": 0}
        row = {"municipality": municipality, "kind": kind, "subject": subject, "step": step, **due}
        identity = [t.c.municipality, t.c.kind, t.c.subject, t.c.step]
        insert = insert_into(conn, t).values(row)
        await conn.execute(insert.on_conflict_do_update(index_elements=identity, set_=due))

    async def cancel(
        self,
        conn: AsyncConnection,
        municipality: str,
        kind: str | None,
        subject: str,
        step: str | None = None,
    ) -> int:
        """Forget the timers of a subject, of one kind and step or of all; return how many."""
        t = self._table
        these = sa.delete(t).where(t.c.municipality == municipality, t.c.subject == subject)
        if kind is not None:
            these = these.where(t.c.kind == kind)
        if step is not None:
            these = these.where(t.c.step == step)
        return (await conn.execute(these)).rowcount

    async def next_due(self, conn: AsyncConnection) -> datetime | None:
        """Return when the next timer is due, those that failed and wait included."""
        soonest = sa.select(sa.func.min(self._table.c.due_at))
        due: datetime | None = (await conn.execute(soonest)).scalar_one_or_none()
        return due

    async def overdue(self, conn: AsyncConnection, by: timedelta = timedelta(seconds=10)) -> int:
        """Return how many timers are late by more than ``by``; a person must know."""
        t = self._table
        late = sa.select(sa.func.count()).select_from(t).where(t.c.due_at < self._clock.now() - by)
        return int((await conn.execute(late)).scalar_one())

    async def fire_due(self, now: datetime | None = None) -> int:
        """Fire what is due, most overdue first; return how many fired.

        A handler that fails keeps its timer, which waits longer after each failure; the others go on.

        Raises:
            Retriable: The database is away; nothing is lost.
        """
        moment = now if now is not None else self._clock.now()
        fired, left, most = 0, A_ROUND, A_TURN
        # Four times a second nothing is due; that must not cost a writer's turn.
        while left > 0 and await self._is_any_due(moment):
            try:
                tried, fine = await self._turn(moment, min(most, left))
            except DatabaseBusy:
                if most == 1:
                    raise
                most = 1  # Two that lock in different orders end in neither: one lock at a time does.
                continue
            if not tried:
                break  # Other replicas are at it.
            fired, left = fired + fine, left - tried
        return fired

    def start(self, scheduler: AsyncIOScheduler) -> None:
        """Have the scheduler tick every 250 ms."""
        scheduler.add_job(
            self._tick, "interval", seconds=TICK_S, max_instances=1, coalesce=True, misfire_grace_time=None
        )

    async def _tick(self) -> None:
        try:
            await self.fire_due()
        except Retriable as err:
            log.warning("timer.round_failed", reason=str(err))

    async def _is_any_due(self, moment: datetime) -> bool:
        async with self._db.reading() as conn:
            return (await conn.execute(self._next(moment))).first() is not None

    async def _turn(self, moment: datetime, most: int) -> tuple[int, int]:
        """Fire some in one transaction; return how many were tried, and how many of them fired.

        It ends early when the writer's turn is over: the rest is for the next.
        """
        tried: list[tuple[Timer, bool]] = []
        async with self._db.transaction() as conn:
            until_s = time.monotonic() + A_TURN_S
            while len(tried) < most and (one := await self._fire_next(conn, moment)) is not None:
                tried.append(one)
                if time.monotonic() > until_s:
                    break
        for timer, is_fired in tried:
            if is_fired:
                metrics.TIMER_LATE.observe(max(0.0, (moment - timer.due_at).total_seconds()))
            else:
                metrics.TIMER_FAILED.labels(timer.kind).inc()
        return len(tried), sum(is_fired for _, is_fired in tried)

    async def _fire_next(self, conn: AsyncConnection, moment: datetime) -> tuple[Timer, bool] | None:
        """Fire the most overdue timer behind a savepoint; say whether its handler was fine.

        Each is claimed at its turn, not with the others: one that an earlier handler moved or cancelled is
        left alone, and nobody waits for a row that is not yet needed.
        """
        timer: Timer | None = None
        try:
            async with self._db.savepoint(conn):
                timer = await self._claim(conn, moment)
                if timer is None:
                    return None
                await self._handlers[timer.kind](conn, timer)
        except Retriable:
            raise
        except Exception as err:
            if timer is None:
                raise
            await self._postpone(conn, timer, moment, err)
            return timer, False
        return timer, True

    async def _claim(self, conn: AsyncConnection, moment: datetime) -> Timer | None:
        t = self._table
        row = (await conn.execute(self._next(moment).with_for_update(skip_locked=True))).mappings().first()
        if row is None:
            return None
        names = ("municipality", "kind", "subject", "step", "due_at", "attempts")
        timer = Timer(**{name: row[name] for name in names})
        await conn.execute(sa.delete(t).where(_is(t, timer)))
        return timer

    def _next(self, moment: datetime) -> sa.Select[Any]:
        t = self._table
        is_due = (t.c.try_at <= moment) & t.c.kind.in_(sorted(self._handlers))
        return sa.select(t).where(is_due).order_by(t.c.try_at).limit(1)

    async def _postpone(
        self, conn: AsyncConnection, timer: Timer, moment: datetime, error: Exception
    ) -> None:
        """Put a timer off whose handler failed, unless another replica has had it since the savepoint."""
        t = self._table
        wait_s = min(RETRY_S * 2**timer.attempts, RETRY_S_MAX)
        as_claimed = _is(t, timer) & (t.c.due_at == timer.due_at) & (t.c.attempts == timer.attempts)
        later = {"attempts": timer.attempts + 1, "try_at": moment + timedelta(seconds=wait_s)}
        await conn.execute(sa.update(t).where(as_claimed).values(later))
        log.error(
            "timer.handler_failed",
            kind=timer.kind,
            subject=timer.subject,
            step=timer.step,
            error=type(error).__name__,
            again_in_s=wait_s,
            exc_info=error,
        )


def _is(table: sa.Table, timer: Timer) -> sa.ColumnElement[bool]:
    return (
        (table.c.municipality == timer.municipality)
        & (table.c.kind == timer.kind)
        & (table.c.subject == timer.subject)
        & (table.c.step == timer.step)
    )


def make_scheduler() -> AsyncIOScheduler:
    """Return a scheduler that keeps nothing: due times are rows."""
    return SteadyScheduler(timezone="UTC")
