"""Show the words that are in force, and by whose authority."""

from __future__ import annotations

from schemas.events.warnings import WarningAuthorised
from services.console.flows.versions import tell_warning
from services.console.outbound.writing import Telling


async def handle(telling: Telling, said: WarningAuthorised) -> None:
    await tell_warning(telling, said)
