"""Every answer that a phone gave, understood or not; the words are sealed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import Channel
from services.notify.outbound.phones import PhoneCipher
from services.notify.tables import reply
from services.runtime.database import insert_into


async def keep(
    conn: AsyncConnection,
    municipality: str,
    reply_id: str,
    *,
    provider_id: str,
    recipient_id: str,
    channel: Channel,
    text: str,
    received_at: datetime,
    cipher: PhoneCipher,
) -> bool:
    """Keep an answer before anything is made of it; say whether it was new."""
    row: dict[str, Any] = {
        "municipality": municipality,
        "reply_id": reply_id,
        "provider_id": provider_id,
        "recipient_id": recipient_id,
        "channel": channel.value,
        "received_at": received_at,
        "text_enc": cipher.seal(text),
        "outcome": "received",
        "detail": {},
    }
    insert = insert_into(conn, reply).values(row).on_conflict_do_nothing()
    return (await conn.execute(insert)).rowcount == 1


async def settle(
    conn: AsyncConnection, municipality: str, reply_id: str, outcome: str, detail: Mapping[str, Any]
) -> None:
    """Note what was made of an answer."""
    p = reply.c
    mine = (p.municipality == municipality) & (p.reply_id == reply_id)
    await conn.execute(sa.update(reply).where(mine).values(outcome=outcome, detail=dict(detail)))


async def outcomes_since(
    conn: AsyncConnection, municipality: str, recipient_id: str, since: datetime, *, but: str = ""
) -> list[str]:
    """Return what was made of this person's answers since then, newest first, but for one."""
    p = reply.c
    wanted = (
        sa.select(p.outcome)
        .where(p.municipality == municipality, p.recipient_id == recipient_id, p.received_at >= since)
        .where(p.reply_id != but)
        .order_by(p.received_at.desc(), p.reply_id)
        .limit(20)
    )
    return [outcome for (outcome,) in await conn.execute(wanted)]
