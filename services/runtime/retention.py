"""Forget what need not be kept: a bounded number of rows a transaction, until nothing old is left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import sqlalchemy as sa
import structlog

from services.runtime import metrics
from services.runtime.database import Database
from services.runtime.errors import Retriable
from services.runtime.tables import RuntimeTables

log = structlog.get_logger()

BITE: Final = 1000
"""Rows a transaction: a writer that waits behind one waits some milliseconds."""

WITHIN_S: Final = 20.0
"""Of each round of ten minutes; what is left then is for the next round, and said."""

BREATH_S: Final = 0.005

Forget = Callable[[Database, datetime, int], Awaitable[int]]
By = Literal["town", "wall"]


@dataclass(frozen=True, slots=True)
class Rule:
    """How long the rows of one table are kept.

    Attributes:
        forget: Deletes at most so many rows that are older than a moment; returns how many.
        by: Whose clock dated the rows: the town's, which a replay moves, or the machine's.
    """

    table: str
    period: timedelta
    forget: Forget
    by: By = "town"


class Retention:
    """The rules of one service, and the job that enforces them.

    Args:
        town, wall: The two clocks.
    """

    def __init__(
        self,
        db: Database,
        rules: Sequence[Rule],
        *,
        town: Callable[[], datetime],
        wall: Callable[[], datetime],
        bite: int = BITE,
        within_s: float = WITHIN_S,
    ) -> None:
        self._db = db
        self._rules = rules
        self._clocks: Mapping[By, Callable[[], datetime]] = {"town": town, "wall": wall}
        self._bite = bite
        self._within_s = within_s

    async def enforce(self) -> int:
        """Forget all that is too old, as far as the time reaches; return how many rows that were."""
        until_s, total = time.monotonic() + self._within_s, 0
        for rule in self._rules:
            try:
                total += await self._enforce(rule, until_s)
            except Retriable as err:  # What is left is for the next round.
                log.warning("retention.postponed", table=rule.table, reason=str(err))
        return total

    async def _enforce(self, rule: Rule, until_s: float) -> int:
        before, total = self._clocks[rule.by]() - rule.period, 0
        while count := await rule.forget(self._db, before, self._bite):
            total += count
            metrics.FORGOTTEN.labels(rule.table).inc(count)
            if count < self._bite:
                break
            if time.monotonic() > until_s:
                log.warning("retention.left_over", table=rule.table, forgotten=total)
                break
            await asyncio.sleep(BREATH_S)
        return total


def rows_of(
    table: sa.Table,
    moment: sa.Column[Any],
    *,
    only: sa.ColumnElement[bool] | None = None,
    wiped: Mapping[str, Any] | None = None,
) -> Forget:
    """Return what deletes the rows whose ``moment`` has passed; with ``wiped`` it empties those columns.

    Old rows are looked for outside of the transaction, so that a search through a large table holds no
    lock; the condition is asked again when they go.
    """
    key = sa.tuple_(*table.primary_key.columns)

    async def forget(db: Database, before: datetime, limit: int) -> int:
        is_old = moment < before if only is None else sa.and_(moment < before, only)
        async with db.reading() as conn:
            found = await conn.execute(sa.select(*table.primary_key.columns).where(is_old).limit(limit))
            keys = [tuple(row) for row in found]
        if not keys:
            return 0
        async with db.transaction() as conn:
            these = sa.and_(key.in_(keys), is_old)
            change = sa.delete(table) if wiped is None else sa.update(table).values(dict(wiped))
            return (await conn.execute(change.where(these))).rowcount

    return forget


def outbox_rule(tables: RuntimeTables, hours: int) -> Rule:
    """Forget what was published long ago; what was not published never goes."""
    t = tables.outbox
    return Rule(t.name, timedelta(hours=hours), rows_of(t, t.c.published_at))


def refused_rules(tables: RuntimeTables, days: int) -> tuple[Rule, ...]:
    """Forget dead letters, and parked records a month after a person was shown them."""
    dead, parked = tables.dead_letter, tables.parked
    shown = rows_of(parked, parked.c.due_at, only=parked.c.shown_at.is_not(None))
    return (
        Rule(dead.name, timedelta(days=days), rows_of(dead, dead.c.at)),
        Rule(parked.name, timedelta(days=30), shown),
    )


ALWAYS_KEPT: Final[dict[str, str]] = {
    "timer": "a row goes in the transaction that fires it",
    "partition": "one row a partition of each topic read",
    "lease": "one row a lease of the service",
}
"""The runtime's tables that need no period, and why."""
