"""Show that an incident is over, and why."""

from __future__ import annotations

from schemas.events.incidents import IncidentClosed
from services.console.flows.versions import tell_incident
from services.console.outbound.writing import Telling


async def handle(telling: Telling, said: IncidentClosed) -> None:
    await tell_incident(telling, said)
