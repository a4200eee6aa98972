"""``report.judged``: what triage made of a report, so that its public status stays true."""

from __future__ import annotations

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events.reports import ReportJudged
from services.ingest.outbound import reports

log = structlog.get_logger()


async def handle(conn: AsyncConnection, municipality: str, event: ReportJudged) -> None:
    """Note the verdict; a report that is forgotten here is nobody's question any more."""
    if not await reports.put_verdict(conn, municipality, event):
        log.info("ingest.report_forgotten", municipality=municipality, report_id=event.report_id)
