"""What may not be decided upon yet and must not be lost: unknown sensors, muted sources."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.outbound.tables import QUARANTINE
from services.runtime.database import insert_into

BODY_BYTES_MOST: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Kept:
    """One thing to keep for a person; ``reason`` is a stable dotted word."""

    source: str
    reason: str
    body: bytes


async def keep(conn: AsyncConnection, municipality: str, kept: Sequence[Kept], at: datetime) -> None:
    """Keep them; what comes again is counted, not stored twice."""
    for digest, each in sorted((_digest(each), each) for each in kept):
        statement = insert_into(conn, QUARANTINE).values(
            municipality=municipality,
            digest=digest,
            source=each.source,
            reason=each.reason,
            body=each.body[:BODY_BYTES_MOST],
            first_at=at,
            last_at=at,
            times=1,
        )
        again = {"times": QUARANTINE.c.times + 1, "last_at": at}
        await conn.execute(
            statement.on_conflict_do_update(index_elements=["municipality", "digest"], set_=again)
        )


async def summary(conn: AsyncConnection) -> list[dict[str, Any]]:
    """Return how much is kept, per town, source and reason."""
    t = QUARANTINE
    rows = (
        sa.select(
            t.c.municipality,
            t.c.source,
            t.c.reason,
            sa.func.count().label("kept"),
            sa.func.sum(t.c.times).label("times"),
            sa.func.max(t.c.last_at).label("last_at"),
        )
        .group_by(t.c.municipality, t.c.source, t.c.reason)
        .order_by(t.c.municipality, t.c.source, t.c.reason)
    )
    return [
        {**row, "times": int(row["times"]), "last_at": row["last_at"].isoformat()}
        for row in (await conn.execute(rows)).mappings()
    ]


def _digest(each: Kept) -> str:
    text = each.source.encode() + b"\n" + each.reason.encode() + b"\n" + each.body
    return hashlib.sha256(text).hexdigest()
