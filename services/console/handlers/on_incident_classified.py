"""Show an incident at its new version."""

from __future__ import annotations

from schemas.events.incidents import IncidentClassified
from services.console.flows.versions import tell_incident
from services.console.outbound.writing import Telling


async def handle(telling: Telling, said: IncidentClassified) -> None:
    await tell_incident(telling, said)
