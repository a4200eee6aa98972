"""What leaves for residents is what was authorised: asked once more of every message when it is claimed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events.warnings import WarningSnapshot, content_hash
from services.notify.domain import names
from services.notify.outbound import told
from services.notify.tables import warning_version


@dataclass(frozen=True, slots=True)
class Broken:
    """A message that cannot leave as it is. ``is_changed``: its words; else its number cannot be read."""

    message_id: str
    alert_id: str
    incident_id: str
    warning_id: str | None
    version: int | None
    is_changed: bool

    @staticmethod
    def of(row: Any, *, is_changed: bool) -> Broken:
        public = told.is_public(row.purpose)
        return Broken(
            row.message_id,
            row.alert_id,
            row.incident_id,
            row.warning_id if public else None,
            row.version if public else None,
            is_changed,
        )


def fits(row: Any) -> bool:
    """Say whether words still are what was stored under their hash."""
    return names.body_id(row.language, row.voice, row.text) == str(row.body_id)


async def strangers(conn: AsyncConnection, municipality: str, rows: Sequence[Any]) -> set[str]:
    """Return messages of a warning whose words, or whose hash, are not those of its authorised version."""
    public = [row for row in rows if row.warning_id is not None and told.is_public(row.purpose)]
    if not public:
        return set()
    v = warning_version.c
    wanted = sa.select(v.warning_id, v.version, v.content_hash, v.snapshot).where(
        v.municipality == municipality, v.warning_id.in_({row.warning_id for row in public})
    )
    versions = {row.version for row in public}
    found = await conn.execute(wanted.where(v.version.in_(versions)))
    held = {(one.warning_id, one.version): _words(one.content_hash, one.snapshot) for one in found}
    return {
        row.message_id
        for row in public
        if (row.content_hash, row.body_id) not in held.get((row.warning_id, row.version), ())
    }


def _words(hash_: str, snapshot: Any) -> set[tuple[str, str]]:
    """Return hash and body of every text that may leave; none where the version is not what was signed."""
    event = WarningSnapshot.model_validate(snapshot)
    signed = content_hash(
        incident_id=event.incident_id,
        incident_version=event.incident_version,
        zones=event.zones,
        texts=event.texts,
        audience_digest=event.audience.digest,
    )
    if event.authority is None or not signed == hash_ == event.content_hash:
        return set()
    bodies = {
        names.body_id(each.language, voice, each.text) for each in event.texts for voice in (False, True)
    }
    return {(hash_, body_id) for body_id in bodies}
