"""Show what a report came to: an incident of its own, one that was there, or no alert, and why."""

from __future__ import annotations

from schemas.events.reports import ReportJudged
from services.console.outbound.writing import Telling
from services.console.tables import report


async def handle(telling: Telling, said: ReportJudged) -> None:
    key = {"report_id": said.report_id}
    held = await telling.held(report, key)
    if held is not None and held["judged"] is not None:
        return
    await telling.keep(said, incident_id=said.incident_id or "", subject_id=said.report_id)
    row = {
        "incident_id": said.incident_id,
        "verdict": said.verdict.value,
        "began_at": held["began_at"] if held is not None else said.judged_at,
        "at": max(telling.envelope.time, held["at"]) if held is not None else telling.envelope.time,
        "judged": said.model_dump(mode="json"),
    }
    await telling.put(report, key, row)
