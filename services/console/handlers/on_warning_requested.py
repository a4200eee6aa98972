"""Show that words wait for somebody with authority."""

from __future__ import annotations

from schemas.events.warnings import WarningRequested
from services.console.flows.versions import tell_warning
from services.console.outbound.writing import Telling


async def handle(telling: Telling, said: WarningRequested) -> None:
    await tell_warning(telling, said)
