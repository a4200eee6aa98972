"""Accepted readings as they were accepted, for the record of a run; reading only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.outbound.tables import READING

_SHOWN = (
    "id",
    "n",
    "sensor_id",
    "property",
    "value",
    "unit",
    "quality",
    "sequence",
    "event_id",
    "correction",
)


async def accepted_between(
    conn: AsyncConnection,
    municipality: str,
    since: datetime,
    until: datetime,
    *,
    after: int,
    limit: int,
) -> list[dict[str, Any]]:
    """Return readings received from ``since`` up to but without ``until``, in the order accepted."""
    t = READING.c
    wanted = (
        sa.select(READING)
        .where(t.municipality == municipality, t.id > after)
        .where(t.received_at >= since, t.received_at < until)
        .order_by(t.id)
        .limit(limit)
    )
    return [
        {
            **{name: row[name] for name in _SHOWN},
            "observed_at": row["observed_at"].isoformat(),
            "received_at": row["received_at"].isoformat(),
        }
        for row in (await conn.execute(wanted)).mappings()
    ]
