"""``incident.classified``: page, give tasks, and ask for authority over words for residents."""

from __future__ import annotations

from schemas.events.incidents import IncidentClassified
from services.notify.flows import responding
from services.notify.work import Work


async def handle(work: Work, event: IncidentClassified) -> None:
    """Act on a version of an incident; one not newer than what is held does nothing."""
    await responding.on_snapshot(work, event)
