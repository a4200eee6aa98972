"""The order of record: what stage 2 decided upon, for whoever wants to decide it again; reading only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.triage.tables import input_log


async def inputs_between(
    conn: AsyncConnection,
    municipality: str,
    since: datetime,
    until: datetime,
    *,
    after: int,
    limit: int,
) -> list[dict[str, Any]]:
    """Return inputs dated from ``since`` up to but without ``until``, in the order of record."""
    t = input_log.c
    wanted = (
        sa.select(t.seq, t.kind, t.at, t.body)
        .where(t.municipality == municipality, t.seq > after, t.at >= since, t.at < until)
        .order_by(t.seq)
        .limit(limit)
    )
    return [
        {"seq": seq, "kind": kind, "at": at.isoformat(), "body": msgspec.json.decode(body)}
        for seq, kind, at, body in await conn.execute(wanted)
    ]
