"""Show that a warning was ended."""

from __future__ import annotations

from schemas.events.warnings import WarningLifted
from services.console.flows.versions import tell_warning
from services.console.outbound.writing import Telling


async def handle(telling: Telling, said: WarningLifted) -> None:
    await tell_warning(telling, said)
