"""Show what became of a decision: applied, refused or expired, and why."""

from __future__ import annotations

from schemas.events.decisions import DecisionRuled
from services.console.outbound.writing import Telling
from services.console.tables import decision


async def handle(telling: Telling, said: DecisionRuled) -> None:
    key = {"decision_id": said.decision_id}
    held = await telling.held(decision, key)
    if held is not None and held["ruled"] is not None:
        return
    await telling.keep(said, incident_id=said.incident_id, subject_id=said.decision_id)
    row = {
        "incident_id": said.incident_id,
        "ruling": said.ruling.value,
        "began_at": held["began_at"] if held is not None else said.ruled_at,
        "at": max(telling.envelope.time, held["at"]) if held is not None else telling.envelope.time,
        "ruled": said.model_dump(mode="json"),
    }
    await telling.put(decision, key, row)
