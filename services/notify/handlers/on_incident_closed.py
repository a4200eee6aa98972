"""``incident.closed``: end questions, pages and tasks; a warning in force stays until a person ends it."""

from __future__ import annotations

from schemas.events.incidents import IncidentClosed
from services.notify.flows import responding
from services.notify.work import Work


async def handle(work: Work, event: IncidentClosed) -> None:
    """Act on the end of an incident."""
    await responding.on_closed(work, event)
