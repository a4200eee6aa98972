"""A call with the same words beside a text that cannot arrive, as long as those words still hold."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import Channel, MessageState, WarningState
from services.notify.domain import names
from services.notify.outbound import bodies, told
from services.notify.tables import alert, body, delivery, warning
from services.runtime.database import insert_into

_KEPT: Final = (
    *("municipality", "alert_id", "incident_id", "warning_id", "version", "purpose", "round"),
    *("recipient_id", "lane", "rank", "expires_at", "content_hash", "exercise_id", "correlation_id"),
)
_HOLDS: Final = (WarningState.AUTHORISED.value, WarningState.LIFTED.value)
# An alert that somebody has to answer is open; a broadcast was sent.
_STANDS: Final = ("open", "sent")


async def plan(
    conn: AsyncConnection, municipality: str, message_id: str, *, at: datetime, real_at: datetime
) -> bool:
    """Plan the call; say whether it is new.

    The text keeps its own fate: the call is another message, never the same row again. Nobody is called
    with words that were taken back, superseded or answered meanwhile.
    """
    d = delivery.c
    found = await conn.execute(
        sa.select(delivery, body.c.text, body.c.language)
        .join(body, sa.and_(body.c.municipality == d.municipality, body.c.body_id == d.body_id))
        .where(d.municipality == municipality, d.message_id == message_id)
        .where(d.expires_at > at, d.withdrawn_at.is_(None))
    )
    row = found.one_or_none()
    if row is None or not await _still_holds(conn, row):
        return False
    spoken = await bodies.keep(conn, municipality, row.text, row.language, voice=True)
    done = await conn.execute(
        insert_into(conn, delivery).values(_call_of(row, spoken, at, real_at)).on_conflict_do_nothing()
    )
    return done.rowcount == 1


async def _still_holds(conn: AsyncConnection, row: Any) -> bool:
    """Say whether the words are those of the version in force, and of an alert that is not over."""
    a, w = alert.c, warning.c
    over = sa.select(a.alert_id).where(
        a.municipality == row.municipality, a.alert_id == row.alert_id, a.state.not_in(_STANDS)
    )
    if (await conn.execute(over)).first() is not None:
        return False
    if row.warning_id is None or not told.is_public(row.purpose):
        return True
    in_force = sa.select(w.warning_id).where(
        w.municipality == row.municipality,
        w.warning_id == row.warning_id,
        w.in_force_version == row.version,
        w.state.in_(_HOLDS),
    )
    return (await conn.execute(in_force)).first() is not None


def _call_of(row: Any, spoken: str, at: datetime, real_at: datetime) -> dict[str, Any]:
    call = Channel.VOICE.value
    return {name: getattr(row, name) for name in _KEPT} | {
        "message_id": names.message_id(row.alert_id, row.recipient_id, call, row.round),
        "channel": call,
        "body_id": spoken,
        "state": MessageState.PLANNED.value,
        "attempt": 0,
        "next_attempt_at": real_at,
        "planned_at": at,
        "updated_at": at,
        "maybe_duplicate": False,
    }
