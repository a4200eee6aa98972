"""Show that nobody answered in time, and whom it went to."""

from __future__ import annotations

from schemas.events.warnings import AlertEscalated
from services.console.outbound.writing import Telling


async def handle(telling: Telling, said: AlertEscalated) -> None:
    await telling.keep(said, incident_id=said.incident_id, subject_id=said.alert_id)
