"""Topic ``municipality``: which version of the town's own folder is in force."""

from __future__ import annotations

from typing import ClassVar

from schemas.events.base import Event, Id, Moment


class MunicipalityActivated(Event):
    """Services read the folder themselves and compare its hash with ``folder_hash``."""

    TYPE: ClassVar[str] = "municipality.activated"

    folder_hash: Id
    rulebook_version: Id
    activated_at: Moment
