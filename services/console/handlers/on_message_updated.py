"""Show what became of single messages: ids and states, never a number or a name."""

from __future__ import annotations

from schemas.events.messages import MessageUpdated
from services.console.outbound import messages
from services.console.outbound.writing import Telling


async def handle(telling: Telling, said: MessageUpdated) -> None:
    await messages.tell(telling, said)
