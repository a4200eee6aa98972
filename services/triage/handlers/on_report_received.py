"""``report.received``: does it alert, and where does it belong? Judged once, however often it comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import structlog

from schemas.events.reports import ReportReceived
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.dead_letter import DeadLetters
from services.runtime.errors import Refused
from services.runtime.inbox import Inbox
from services.runtime.records import Record, open_record
from services.triage.domain.inputs import Report
from services.triage.flows.stage_two import StageTwo
from services.triage.towns import Towns

log = structlog.get_logger()

TYPE: Final = ReportReceived.TYPE


@dataclass(slots=True)
class OnReportReceived:
    """Each report in a transaction of its own. The marks of those judged are never forgotten.

    The topic is kept without limit: reports of last year, read again, must not call anybody.
    """

    db: Database
    towns: Towns
    stage_two: StageTwo
    inbox: Inbox
    dead_letters: DeadLetters
    clock: Clock

    async def __call__(self, record: Record) -> None:
        """Take up one record of ``reports``.

        Raises:
            OursMalformed: It cannot be read.
            Retriable: The database is away; nothing was kept.
        """
        envelope, event = open_record(record)
        if not isinstance(event, ReportReceived):
            return
        if envelope.municipality not in self.towns:
            await self._refuse(record)
            return
        now = self.clock.now()
        async with self.db.transaction() as conn:
            if await self.inbox.first_time(conn, envelope.municipality, TYPE, event.report_id, now):
                report = Report(
                    report_id=event.report_id,
                    category=event.category,
                    reported_at=event.reported_at,
                    received_at=event.received_at,
                    at=now,
                    text=event.text or "",
                    address=event.address or "",
                    withheld=event.withheld,
                    zone=event.zone,
                    lat=event.lat,
                    lon=event.lon,
                )
                await self.stage_two.judge(conn, envelope.municipality, report, envelope.id)

    async def _refuse(self, record: Record) -> None:
        refused = Refused("municipality.unknown", "no folder of this municipality is known here")
        async with self.db.transaction() as conn:
            await self.dead_letters.add_refused(conn, record, refused, self.clock.now())
        log.error("triage.report_refused", partition=record.partition, offset=record.offset)
