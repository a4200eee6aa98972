"""Alerts: a group of messages with one reason, and how far its escalation has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events.base import Reason
from schemas.municipality.duty import Step
from schemas.vocabulary import Channel, Level, Purpose
from services.notify.domain.escalation import Escalation
from services.notify.tables import ack, alert, delivery
from services.runtime.database import insert_into

OPEN = "open"


@dataclass(frozen=True, slots=True)
class Alert:
    """One row. ``escalation`` and ``steps`` are empty for broadcasts: nobody has to answer those."""

    alert_id: str
    incident_id: str
    incident_version: int
    level: Level
    purpose: Purpose
    state: str
    reasons: tuple[Reason, ...]
    dispatched_at: datetime
    escalation: Escalation | None = None
    steps: tuple[Step, ...] = ()
    request_id: str | None = None
    warning_id: str | None = None
    warning_version: int | None = None
    channel: Channel = Channel.SMS
    exercise_id: str | None = None

    @property
    def is_open(self) -> bool:
        return self.state == OPEN

    def moved(self, escalation: Escalation, reasons: Sequence[Reason] = ()) -> Alert:
        return replace(self, escalation=escalation, reasons=(*self.reasons, *reasons))


async def add(conn: AsyncConnection, municipality: str, new: Alert) -> bool:
    """Keep a new alert; say whether it was new."""
    row = {
        "municipality": municipality,
        "alert_id": new.alert_id,
        "incident_id": new.incident_id,
        "incident_version": new.incident_version,
        "level": int(new.level),
        "purpose": new.purpose.value,
        "state": new.state,
        "request_id": new.request_id,
        "warning_id": new.warning_id,
        "warning_version": new.warning_version,
        "channel": new.channel.value,
        "escalation": _packed(new),
        "reasons": [reason.model_dump() for reason in new.reasons],
        "exercise_id": new.exercise_id,
        "dispatched_at": new.dispatched_at,
    }
    insert = insert_into(conn, alert).values(row).on_conflict_do_nothing()
    return (await conn.execute(insert)).rowcount == 1


async def find(conn: AsyncConnection, municipality: str, alert_id: str) -> Alert | None:
    a = alert.c
    wanted = sa.select(alert).where(a.municipality == municipality, a.alert_id == alert_id)
    row = (await conn.execute(wanted.with_for_update())).mappings().first()
    return _alert(row) if row else None


async def open_ones(
    conn: AsyncConnection, municipality: str, incident_id: str, purpose: Purpose | None = None
) -> list[Alert]:
    """Return the incident's alerts that still wait for an answer."""
    a = alert.c
    wanted = sa.select(alert).where(
        a.municipality == municipality, a.incident_id == incident_id, a.state == OPEN
    )
    if purpose is not None:
        wanted = wanted.where(a.purpose == purpose.value)
    rows = (await conn.execute(wanted.order_by(a.dispatched_at, a.alert_id).with_for_update())).mappings()
    return [_alert(row) for row in rows]


async def save(conn: AsyncConnection, municipality: str, changed: Alert) -> None:
    """Keep how far the escalation has come, and why."""
    a = alert.c
    mine = (a.municipality == municipality) & (a.alert_id == changed.alert_id)
    new = {"escalation": _packed(changed), "reasons": [reason.model_dump() for reason in changed.reasons]}
    await conn.execute(sa.update(alert).where(mine).values(new))


async def close(
    conn: AsyncConnection,
    municipality: str,
    alert_id: str,
    state: str,
    *,
    by: str | None = None,
    at: datetime | None = None,
) -> bool:
    """End an open alert; say whether it was open."""
    a = alert.c
    mine = (a.municipality == municipality) & (a.alert_id == alert_id) & (a.state == OPEN)
    change = sa.update(alert).where(mine).values(state=state, acknowledged_by=by, acknowledged_at=at)
    return (await conn.execute(change)).rowcount == 1


async def add_ack(
    conn: AsyncConnection,
    municipality: str,
    ack_id: str,
    row: Alert,
    *,
    person_id: str,
    channel: Channel,
    reply_id: str | None,
    at: datetime,
) -> bool:
    """Keep that a person answered for an alert; say whether it was new."""
    values = {
        "municipality": municipality,
        "ack_id": ack_id,
        "alert_id": row.alert_id,
        "incident_id": row.incident_id,
        "person_id": person_id,
        "channel": channel.value,
        "reply_id": reply_id,
        "acknowledged_at": at,
    }
    insert = insert_into(conn, ack).values(values).on_conflict_do_nothing()
    return (await conn.execute(insert)).rowcount == 1


async def who_answered(conn: AsyncConnection, municipality: str, incident_id: str) -> list[str]:
    """Return who answered for an incident, the last one first."""
    k = ack.c
    wanted = (
        sa.select(k.person_id)
        .where(k.municipality == municipality, k.incident_id == incident_id)
        .order_by(k.acknowledged_at.desc(), k.ack_id)
        .limit(50)
    )
    return list(dict.fromkeys((await conn.execute(wanted)).scalars()))


async def was_told(
    conn: AsyncConnection, municipality: str, alert_id: str, recipient_id: str | None = None
) -> bool:
    """Say whether anything of an alert has left, or may have, to anybody or to one person."""
    d = delivery.c
    wanted = sa.select(d.message_id).where(
        d.municipality == municipality, d.alert_id == alert_id, d.sending_at.is_not(None)
    )
    if recipient_id is not None:
        wanted = wanted.where(d.recipient_id == recipient_id)
    return (await conn.execute(wanted.limit(1))).first() is not None


def _packed(row: Alert) -> dict[str, Any]:
    state = row.escalation
    if state is None:
        return {}
    return {
        "order": list(state.order),
        "started_at": state.started_at.isoformat(),
        "taken": state.taken,
        "rung": state.rung,
        "pulled_s": state.pulled_s,
        "awake": list(state.awake),
        "steps": [step.model_dump(mode="json") for step in row.steps],
    }


def _alert(row: sa.RowMapping) -> Alert:
    packed = row["escalation"]
    escalation = None
    if packed:
        escalation = Escalation(
            order=tuple(packed["order"]),
            started_at=datetime.fromisoformat(packed["started_at"]),
            taken=packed["taken"],
            rung=packed["rung"],
            pulled_s=packed["pulled_s"],
            awake=tuple(packed["awake"]),
        )
    return Alert(
        alert_id=row["alert_id"],
        incident_id=row["incident_id"],
        incident_version=row["incident_version"],
        level=Level(row["level"]),
        purpose=Purpose(row["purpose"]),
        state=row["state"],
        reasons=tuple(Reason.model_validate(reason) for reason in row["reasons"]),
        dispatched_at=row["dispatched_at"],
        escalation=escalation,
        steps=tuple(Step.model_validate(step) for step in packed.get("steps", ())),
        request_id=row["request_id"],
        warning_id=row["warning_id"],
        warning_version=row["warning_version"],
        channel=Channel(row["channel"]),
        exercise_id=row["exercise_id"],
    )
