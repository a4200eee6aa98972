"""What an auditor must see of attempts on authority."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import EVERY_MUNICIPALITY
from services.console.tables import audit
from services.runtime.errors import Refused
from services.runtime.records import Record


async def note(conn: AsyncConnection, record: Record, refused: Refused, at: datetime) -> None:
    """Keep an attempt; nobody vouches for the town that it names, so it belongs to all."""
    row = {
        "municipality": EVERY_MUNICIPALITY,
        "at": at,
        "kind": refused.reason,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "detail": refused.detail[:1000],
    }
    await conn.execute(sa.insert(audit).values(row))


async def count(conn: AsyncConnection) -> int:
    return int((await conn.execute(sa.select(sa.func.count()).select_from(audit))).scalar_one())
