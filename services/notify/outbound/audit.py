"""What must be shown to whoever asks later: refusals, forgeries, overruled texts. Rows are only added."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify.tables import audit
from services.runtime.database import insert_into


async def note(
    conn: AsyncConnection,
    municipality: str,
    *,
    actor: str,
    action: str,
    object_id: str,
    detail: Mapping[str, Any],
    at: datetime,
) -> None:
    """Add one line: who did what to what. Ids only, never a number or a name."""
    row = {
        "municipality": municipality,
        "audit_id": str(uuid4()),
        "at": at,
        "actor": actor,
        "action": action,
        "object_id": object_id[:160],
        "detail": dict(detail),
    }
    await conn.execute(insert_into(conn, audit).values(row))


async def count_of(conn: AsyncConnection, municipality: str, action: str, object_id: str) -> int:
    """Return how often this was noted of one thing."""
    a = audit.c
    count = sa.select(sa.func.count()).select_from(audit)
    count = count.where(a.municipality == municipality, a.action == action, a.object_id == object_id)
    return int((await conn.execute(count)).scalar_one())


async def count_since(conn: AsyncConnection, municipality: str, action: str, since: datetime) -> int:
    """Return how often this was noted since then."""
    a = audit.c
    count = sa.select(sa.func.count()).select_from(audit)
    count = count.where(a.municipality == municipality, a.action == action, a.at >= since)
    return int((await conn.execute(count)).scalar_one())
