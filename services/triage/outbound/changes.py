"""The log of verdicts, the verdict not to alert included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.triage.domain.changes import Change
from services.triage.domain.state import encode
from services.triage.tables import change


class ChangeStore:
    """The table ``change``."""

    async def add(self, conn: AsyncConnection, municipality: str, changes: Sequence[Change]) -> None:
        if not changes:
            return
        rows = [
            {
                "municipality": municipality,
                "kind": each.kind,
                "at": each.at,
                "sensor_id": each.sensor_id,
                "incident_id": each.incident_id,
                "body": encode(each.as_record()),
            }
            for each in changes
        ]
        await conn.execute(sa.insert(change), rows)

    async def list(
        self, conn: AsyncConnection, municipality: str, *, after: int = 0, limit: int = 500
    ) -> Sequence[dict[str, Any]]:
        """Return records in the order of record, from behind number ``after``; each has its ``seq``."""
        wanted = (
            sa.select(change.c.seq, change.c.body)
            .where(change.c.municipality == municipality, change.c.seq > after)
            .order_by(change.c.seq)
            .limit(limit)
        )
        rows = (await conn.execute(wanted)).all()
        return [{"seq": seq, **msgspec.json.decode(body)} for seq, body in rows]
