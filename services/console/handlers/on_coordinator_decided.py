"""Show what a person decided, whether or not it is known yet what came of it."""

from __future__ import annotations

from schemas.events.decisions import CoordinatorDecided
from services.console.outbound.writing import Telling
from services.console.tables import decision


async def handle(telling: Telling, said: CoordinatorDecided) -> None:
    key = {"decision_id": said.decision_id}
    held = await telling.held(decision, key)
    if held is not None and held["said"] is not None:
        return
    await telling.keep(said, incident_id=said.incident_id, subject_id=said.decision_id)
    at = max(telling.envelope.time, held["at"]) if held is not None else telling.envelope.time
    row = {
        "incident_id": said.incident_id,
        "began_at": said.decided_at,
        "at": at,
        "said": said.model_dump(mode="json", exclude={"operator_signature"}),
    }
    await telling.put(decision, key, row)
