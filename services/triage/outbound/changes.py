"""The log of verdicts, the verdict not to alert included."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.bulk import insert_rows, moment_of
from services.triage.domain.changes import Change
from services.triage.domain.state import encode
from services.triage.tables import change

_COLUMNS: Final = ("municipality", "kind", "at", "sensor_id", "incident_id", "body")


class ChangeStore:
    """The table ``change``."""

    async def add(self, conn: AsyncConnection, municipality: str, changes: Sequence[Change]) -> None:
        moment = moment_of(conn)
        rows = [
            (
                municipality,
                each.kind,
                moment(each.at.astimezone(UTC)),
                each.sensor_id,
                each.incident_id,
                encode(each.as_record()),
            )
            for each in changes
        ]
        await insert_rows(conn, change, _COLUMNS, rows)

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
