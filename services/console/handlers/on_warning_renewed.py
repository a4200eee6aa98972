"""Show that a warning goes on."""

from __future__ import annotations

from schemas.events.warnings import WarningRenewed
from services.console.flows.versions import tell_warning
from services.console.outbound.writing import Telling


async def handle(telling: Telling, said: WarningRenewed) -> None:
    await tell_warning(telling, said)
