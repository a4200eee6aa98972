"""Show what somebody was asked to do."""

from __future__ import annotations

from schemas.events.tasks import TaskAssigned
from services.console.flows.versions import tell_task
from services.console.outbound.writing import Telling


async def handle(telling: Telling, said: TaskAssigned) -> None:
    await tell_task(telling, said)
