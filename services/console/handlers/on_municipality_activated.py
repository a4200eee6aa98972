"""Show which version of the town's folder is in force.

The topic keeps only the last record of a town, so nothing but the last may be shown.
"""

from __future__ import annotations

from schemas.events.municipality import MunicipalityActivated
from services.console.outbound.writing import Telling
from services.console.tables import town


async def handle(telling: Telling, said: MunicipalityActivated) -> None:
    row = {
        "folder_hash": said.folder_hash,
        "rulebook_version": said.rulebook_version,
        "at": said.activated_at,
    }
    await telling.put(town, {}, row)
