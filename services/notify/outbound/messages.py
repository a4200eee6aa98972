"""Find the messages that an answer belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import MessageState, Purpose
from services.notify.outbound.deliveries import Deliveries
from services.notify.tables import delivery


@dataclass(frozen=True, slots=True)
class Found:
    alert_id: str
    incident_id: str
    recipient_id: str
    purpose: Purpose


async def find(conn: AsyncConnection, municipality: str, message_id: str) -> Found | None:
    d = delivery.c
    wanted = sa.select(d.alert_id, d.incident_id, d.recipient_id, d.purpose).where(
        d.municipality == municipality, d.message_id == message_id
    )
    row = (await conn.execute(wanted)).first()
    return Found(row.alert_id, row.incident_id, row.recipient_id, Purpose(row.purpose)) if row else None


async def of_person(conn: AsyncConnection, municipality: str, alert_id: str, recipient_id: str) -> list[str]:
    """Return what this person was sent about an alert."""
    d = delivery.c
    wanted = sa.select(d.message_id).where(
        d.municipality == municipality, d.alert_id == alert_id, d.recipient_id == recipient_id
    )
    return [message_id for (message_id,) in await conn.execute(wanted)]


async def answered(
    deliveries: Deliveries,
    conn: AsyncConnection,
    municipality: str,
    message_ids: Sequence[str],
    at: datetime,
) -> None:
    """Note that a person answered them: whatever the carrier says later, they arrived."""
    await deliveries.move(conn, municipality, message_ids, MessageState.ANSWERED, answered_at=at)
