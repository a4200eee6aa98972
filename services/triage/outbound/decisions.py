"""What became of people's decisions, and what an auditor must see of attempts on authority."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events.decisions import DecisionRuled
from services.runtime.database import insert_into
from services.runtime.errors import Refused
from services.runtime.records import Record
from services.triage.tables import audit, decision


class DecisionStore:
    """The table ``decision``: one row per decision, for good."""

    async def is_ruled(self, conn: AsyncConnection, municipality: str, decision_id: str) -> bool:
        wanted = sa.select(decision.c.decision_id).where(
            decision.c.municipality == municipality, decision.c.decision_id == decision_id
        )
        return (await conn.execute(wanted)).first() is not None

    async def save(self, conn: AsyncConnection, municipality: str, ruled: DecisionRuled) -> bool:
        """Keep a ruling; say whether it is the first on this decision."""
        row = {
            "municipality": municipality,
            "decision_id": ruled.decision_id,
            "incident_id": ruled.incident_id,
            "operator_id": ruled.operator_id or "",
            "verb": ruled.verb.value,
            "ruling": ruled.ruling.value,
            "ruled_at": ruled.ruled_at,
            "body": ruled.json_bytes(),
        }
        insert = insert_into(conn, decision).values(row).on_conflict_do_nothing()
        return (await conn.execute(insert)).rowcount == 1


class AuditStore:
    """The table ``audit``."""

    async def add(
        self, conn: AsyncConnection, municipality: str, record: Record, refused: Refused, at: datetime
    ) -> None:
        """Keep an attempt on authority."""
        row: dict[str, Any] = {
            "municipality": municipality,
            "at": at,
            "kind": refused.reason,
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "detail": refused.detail[:1000],
        }
        await conn.execute(sa.insert(audit).values(row))

    async def count(self, conn: AsyncConnection) -> int:
        return int((await conn.execute(sa.select(sa.func.count()).select_from(audit))).scalar_one())
