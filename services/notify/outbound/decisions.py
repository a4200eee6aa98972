"""What people decided, and what became of it. A decision is acted on once, whatever door it came by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events.base import Reason
from schemas.events.decisions import CoordinatorDecided
from schemas.vocabulary import NOTIFY_VERBS, Ruling
from services.notify.tables import decision
from services.runtime.database import insert_into


async def keep(conn: AsyncConnection, municipality: str, said: CoordinatorDecided, at: datetime) -> bool:
    """Keep a decision; say whether it was new."""
    row = {
        "municipality": municipality,
        "decision_id": said.decision_id,
        "incident_id": said.incident_id,
        "verb": said.verb.value,
        "operator_id": said.operator_id,
        "payload": said.model_dump(mode="json", exclude_none=True),
        "received_at": at,
    }
    insert = insert_into(conn, decision).values(row).on_conflict_do_nothing()
    return (await conn.execute(insert)).rowcount == 1


async def find(conn: AsyncConnection, municipality: str, decision_id: str) -> dict[str, Any] | None:
    """Return the row, locked where rows can be."""
    d = decision.c
    wanted = sa.select(decision).where(d.municipality == municipality, d.decision_id == decision_id)
    row = (await conn.execute(wanted.with_for_update())).mappings().first()
    return dict(row) if row else None


async def rule(
    conn: AsyncConnection,
    municipality: str,
    decision_id: str,
    ruling: Ruling,
    *,
    reasons: Sequence[Reason],
    by: str,
    at: datetime,
) -> bool:
    """Keep the ruling unless there is one; say whether it was the first."""
    d = decision.c
    mine = (d.municipality == municipality) & (d.decision_id == decision_id) & d.ruling.is_(None)
    new: dict[str, Any] = {"ruling": ruling.value, "reasons": [reason.model_dump() for reason in reasons]}
    new |= {"ruled_by": by, "ruled_at": at}
    return (await conn.execute(sa.update(decision).where(mine).values(new))).rowcount == 1


async def waiting(conn: AsyncConnection, municipality: str, incident_id: str) -> list[CoordinatorDecided]:
    """Return decisions of our own verbs about this incident that have no answer yet, oldest first."""
    d = decision.c
    ours = [verb.value for verb in NOTIFY_VERBS]
    wanted = (
        sa.select(d.payload)
        .where(d.municipality == municipality, d.incident_id == incident_id)
        .where(d.ruling.is_(None), d.verb.in_(ours))
        .order_by(d.received_at, d.decision_id)
    )
    rows = (await conn.execute(wanted)).scalars()
    return [CoordinatorDecided.model_validate(payload) for payload in rows]
