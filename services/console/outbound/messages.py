"""Messages: where each stands, and when it was first known to have left and to have arrived."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from schemas.events.messages import MessageStatus, MessageUpdated
from services.console.domain.standing import ARRIVED, HANDED_OVER
from services.console.outbound.writing import Telling
from services.console.tables import message
from services.runtime.database import Insert, insert_into

Row = dict[str, Any]  # Any: values of columns
AT_ONCE = 100


async def tell(telling: Telling, said: MessageUpdated) -> None:
    """Move messages on to the state told last; their first moments stay."""
    newest = {each.message_id: _row(telling, said.incident_id, each) for each in said.messages}
    rows = list(newest.values())
    for start in range(0, len(rows), AT_ONCE):
        await telling.conn.execute(_upsert(telling, rows[start : start + AT_ONCE]))


def _upsert(telling: Telling, rows: Sequence[Row]) -> Insert:
    m = message.c
    insert = insert_into(telling.conn, message).values(list(rows))
    new = insert.excluded
    latest = ("state", "code", "at", "version", "warning_id", "exercise_id")
    changed: dict[str, Any] = {name: new[name] for name in latest}
    for name in ("handed_over_at", "delivered_at"):
        first = sa.case((m[name] <= new[name], m[name]), else_=sa.func.coalesce(new[name], m[name]))
        changed[name] = first
    return insert.on_conflict_do_update(index_elements=["municipality", "message_id"], set_=changed)


def _row(telling: Telling, incident_id: str, status: MessageStatus) -> Row:
    return {
        "municipality": telling.municipality,
        "message_id": status.message_id,
        "incident_id": incident_id,
        "warning_id": status.warning_id,
        "version": status.version,
        "recipient_id": status.recipient_id,
        "channel": status.channel.value,
        "purpose": status.purpose.value,
        "state": status.state.value,
        "code": status.code,
        "exercise_id": telling.envelope.exercise_id,
        "at": status.at,
        "handed_over_at": _if(status.state in HANDED_OVER, status.at),
        "delivered_at": _if(status.state in ARRIVED, status.at),
    }


def _if(is_so: bool, at: datetime) -> datetime | None:
    return at if is_so else None
