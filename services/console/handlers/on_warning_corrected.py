"""Show the words that take the place of wrong ones."""

from __future__ import annotations

from schemas.events.warnings import WarningCorrected
from services.console.flows.versions import tell_warning
from services.console.outbound.writing import Telling


async def handle(telling: Telling, said: WarningCorrected) -> None:
    await tell_warning(telling, said)
