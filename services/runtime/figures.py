"""What Prometheus shows of a service's tables: asked now and then, not at every scrape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import Lane
from services.runtime import metrics
from services.runtime.database import Database
from services.runtime.errors import Retriable
from services.runtime.outbox import Outbox

log = structlog.get_logger()

EVERY_S: Final = 15

Ask = Callable[[AsyncConnection], Awaitable[float]]


class Figures:
    """Sets the gauges of the outbox, and those that a service names beside."""

    def __init__(self, db: Database, outbox: Outbox, others: Mapping[Gauge, Ask]) -> None:
        self._db = db
        self._outbox = outbox
        self._others = dict(others)

    async def measure(self) -> None:
        """Ask the tables; while the database is away the gauges keep what was last known."""
        try:
            async with self._db.reading() as conn:
                ages = await self._outbox.ages(conn)
                found = {gauge: await ask(conn) for gauge, ask in self._others.items()}
        except Retriable as err:
            log.warning("figures.postponed", reason=str(err))
            return
        for lane in Lane:
            age_s = ages[lane].total_seconds() if lane in ages else 0.0
            metrics.OUTBOX_AGE.labels(lane.name.lower()).set(age_s)
        for gauge, value in found.items():
            gauge.set(value)
