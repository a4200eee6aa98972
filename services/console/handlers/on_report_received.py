"""Show what somebody reported, whether or not it is known yet what it came to."""

from __future__ import annotations

from schemas.events.reports import ReportReceived
from services.console.outbound.writing import Telling
from services.console.tables import report


async def handle(telling: Telling, said: ReportReceived) -> None:
    key = {"report_id": said.report_id}
    held = await telling.held(report, key)
    if held is not None and held["said"] is not None:
        return
    await telling.keep(said, incident_id="", subject_id=said.report_id)
    row = {
        "began_at": said.reported_at,
        "at": max(telling.envelope.time, held["at"]) if held is not None else telling.envelope.time,
        "said": said.model_dump(mode="json"),
    }
    await telling.put(report, key, row)
