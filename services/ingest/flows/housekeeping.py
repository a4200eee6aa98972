"""Forget what may be forgotten, in bites small enough that no gauge waits for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.domain.keys import SIGNATURE_AGE_MOST
from services.ingest.outbound import keys, quarantine, readings, reports, sources
from services.ingest.settings import IngestSettings
from services.runtime.database import Database
from services.runtime.outbox import Outbox

BITE: Final = 1000
BITES_MOST: Final = 50

Prune = Callable[[AsyncConnection, datetime, int], Awaitable[int]]


class Housekeeping:
    """What is kept for how long; by the real clock, except the outbox, which is dated by the town's."""

    def __init__(self, db: Database, outbox: Outbox, settings: IngestSettings) -> None:
        self._db = db
        self._outbox = outbox
        self._settings = settings

    async def tidy(self, wall: datetime, town: datetime) -> int:
        """Delete what is too old; return how many rows. What is left over is for the next time."""
        plan: Sequence[tuple[Prune, datetime]] = (
            (readings.prune, wall - self._settings.kept),
            (self._outbox.prune, town - self._settings.kept),
            (quarantine.prune, wall - self._settings.quarantine_kept),
            (keys.prune_nonces, wall - 2 * SIGNATURE_AGE_MOST),
            (sources.prune, wall - timedelta(hours=1)),
            (reports.prune, wall - self._settings.reports_kept),
            (reports.prune_incidents, wall - self._settings.reports_kept),
        )
        return sum([await self._prune(prune, before) for prune, before in plan])

    async def _prune(self, prune: Prune, before: datetime) -> int:
        total = 0
        for _ in range(BITES_MOST):
            async with self._db.transaction() as conn:
                count = await prune(conn, before, BITE)
            total += count
            if count < BITE:
                break
        return total
