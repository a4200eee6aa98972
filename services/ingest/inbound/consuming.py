"""From a record of our own topics to its handler, each in a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events.base import Event
from schemas.events.incidents import IncidentClassified, IncidentClosed
from schemas.events.reports import ReportJudged
from schemas.topics import INCIDENTS, REPORTS
from services.ingest.handlers import on_incident_classified, on_incident_closed, on_report_judged
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.dead_letter import DeadLetters
from services.runtime.errors import Refused
from services.runtime.records import Record, open_record
from services.runtime.signing import Verifier

log = structlog.get_logger()

TOPICS: Final = (INCIDENTS.name, REPORTS.name)


class Consuming:
    """Keeps what people are told of their reports true.

    Args:
        verifier: Asked for when the first record comes; ingest can take readings without any key.
        wall: The real time, by which rows are forgotten.
    """

    def __init__(
        self,
        db: Database,
        dead_letters: DeadLetters,
        verifier: Callable[[], Verifier],
        *,
        clock: Clock,
        wall: Callable[[], datetime],
    ) -> None:
        self._db = db
        self._dead_letters = dead_letters
        self._verifier = verifier
        self._clock = clock
        self._wall = wall

    async def take(self, records: Sequence[Record]) -> None:
        """Handle records in order.

        Raises:
            OursMalformed: One cannot be read; those before it were handled.
            Retriable: The database is away; nothing of that record was kept.
        """
        for record in records:
            await self._one(record)

    async def _one(self, record: Record) -> None:
        try:
            envelope, event = open_record(record, self._verifier())
        except Refused as refused:
            await self._refuse(record, refused)
            return
        if isinstance(event, IncidentClassified | IncidentClosed | ReportJudged):
            async with self._db.transaction() as conn:
                await self._dispatch(conn, envelope.municipality, event)

    async def _refuse(self, record: Record, refused: Refused) -> None:
        async with self._db.transaction() as conn:
            await self._dead_letters.add_refused(conn, record, refused, self._clock.now())
        log.error(
            "ingest.record_refused",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=refused.reason,
        )

    async def _dispatch(self, conn: AsyncConnection, municipality: str, event: Event) -> None:
        if isinstance(event, IncidentClassified):
            await on_incident_classified.handle(conn, municipality, event, self._wall())
        elif isinstance(event, IncidentClosed):
            await on_incident_closed.handle(conn, municipality, event, self._wall())
        elif isinstance(event, ReportJudged):
            await on_report_judged.handle(conn, municipality, event)
