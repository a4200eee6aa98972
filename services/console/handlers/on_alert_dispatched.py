"""Show that people were told of an incident."""

from __future__ import annotations

from schemas.events.warnings import AlertDispatched
from services.console.outbound.writing import Telling


async def handle(telling: Telling, said: AlertDispatched) -> None:
    await telling.keep(said, incident_id=said.incident_id, subject_id=said.alert_id)
