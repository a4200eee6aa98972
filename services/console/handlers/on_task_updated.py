"""Show how far a task has come."""

from __future__ import annotations

from schemas.events.tasks import TaskUpdated
from services.console.flows.versions import tell_task
from services.console.outbound.writing import Telling


async def handle(telling: Telling, said: TaskUpdated) -> None:
    await tell_task(telling, said)
