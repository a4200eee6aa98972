"""What people and programs ask about messages, warnings and answers: ids and states, never a number."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events.warnings import Ledger
from schemas.vocabulary import MessageState, Purpose, WarningState
from services.notify.tables import (
    ack,
    alert,
    audit,
    authority_request,
    decision,
    delivery,
    door_inbox,
    expansion,
    reply,
    task,
    warning,
    warning_version,
)

Json = dict[str, Any]  # Any: JSON documents

_FATE = (
    *("message_id", "alert_id", "incident_id", "warning_id", "version", "purpose", "channel", "round"),
    *("recipient_id", "state", "attempt", "code", "maybe_duplicate", "content_hash", "exercise_id"),
    *("planned_at", "accepted_at", "sent_at", "delivered_at", "answered_at", "expires_at", "updated_at"),
)
_NOT_MEANT = (MessageState.WITHDRAWN.value, MessageState.SUPPRESSED.value)
_PUBLIC = tuple(each.value for each in (Purpose.WARNING, Purpose.RENEWAL, Purpose.CORRECTION, Purpose.LIFT))
_NINE_TENTHS = 0.9


async def list_rows(
    conn: AsyncConnection,
    table: sa.Table,
    key: str,
    municipality: str,
    *,
    after: str,
    limit: int,
    only: Mapping[str, str | None],
) -> list[Json]:
    """Return a table's rows of a town in order of ``key``, from behind ``after``; ``only`` narrows them."""
    wanted = sa.select(table).where(table.c.municipality == municipality, table.c[key] > after)
    for name, value in only.items():
        if value is not None:
            wanted = wanted.where(table.c[name] == value)
    rows = (await conn.execute(wanted.order_by(table.c[key]).limit(limit))).mappings()
    return [_shown(row) for row in rows]


async def messages(
    conn: AsyncConnection, municipality: str, *, after: str, limit: int, only: Mapping[str, str | None]
) -> list[Json]:
    """Return messages by id, with their states and times."""
    d = delivery.c
    columns = [d[name] for name in _FATE]
    wanted = sa.select(*columns).where(d.municipality == municipality, d.message_id > after)
    for name, value in only.items():
        if value is not None:
            wanted = wanted.where(d[name] == value)
    rows = (await conn.execute(wanted.order_by(d.message_id).limit(limit))).mappings()
    return [_shown(row) for row in rows]


async def warnings(
    conn: AsyncConnection, municipality: str, *, after: str, limit: int, only: Mapping[str, str | None]
) -> list[Json]:
    """Return where each warning stands, with whose authority is behind it."""
    heads = await list_rows(conn, warning, "warning_id", municipality, after=after, limit=limit, only=only)
    return [await _with_words(conn, municipality, head) for head in heads]


async def one_warning(conn: AsyncConnection, municipality: str, warning_id: str) -> Json | None:
    """Return texts, authority, ledger of lost time, requests, and every message's fate by counts and ids."""
    w = warning.c
    found = await conn.execute(
        sa.select(warning).where(w.municipality == municipality, w.warning_id == warning_id)
    )
    row = found.mappings().first()
    if row is None:
        return None
    head = await _with_words(conn, municipality, _shown(row))
    v, q = warning_version.c, authority_request.c
    versions = await conn.execute(
        sa.select(v.version, v.event_type, v.at, v.snapshot)
        .where(v.municipality == municipality, v.warning_id == warning_id)
        .order_by(v.version)
    )
    asked = await conn.execute(
        sa.select(authority_request)
        .where(q.municipality == municipality, q.warning_id == warning_id)
        .order_by(q.opened_at)
    )
    shown = [
        {
            **snapshot,
            "type": kind,
            "at": at.isoformat(),
            "ledger": await ledger(conn, municipality, warning_id, version, snapshot),
        }
        for version, kind, at, snapshot in versions.all()
    ]
    return {
        **head,
        "ledger": next(each["ledger"] for each in shown if each["version"] == head["version"]),
        "versions": shown,
        "requests": [_shown(each) for each in asked.mappings()],
        "fates": await fates(conn, municipality, warning_id),
        "messages": await messages(
            conn, municipality, after="", limit=2_000, only={"warning_id": warning_id}
        ),
    }


async def fates(conn: AsyncConnection, municipality: str, warning_id: str) -> list[Json]:
    """Return how many messages of each version and purpose stand in each state."""
    d = delivery.c
    groups = (d.version, d.purpose, d.channel, d.state)
    wanted = (
        sa.select(*groups, sa.func.count().label("messages"))
        .where(d.municipality == municipality, d.warning_id == warning_id)
        .group_by(*groups)
        .order_by(*groups)
    )
    return [dict(row) for row in (await conn.execute(wanted)).mappings()]


async def ledger(
    conn: AsyncConnection, municipality: str, warning_id: str, version: int, snapshot: Json
) -> Json:
    """Return when each step of one version was reached, from its cause to nine tenths delivered.

    Only messages of this version count: what an older one did is no merit of this one.
    """
    d = delivery.c
    mine = (d.municipality == municipality) & (d.warning_id == warning_id) & (d.version == version)
    mine &= d.purpose.in_(_PUBLIC)
    meant = mine & d.state.not_in(_NOT_MEANT)
    first = (await conn.execute(sa.select(sa.func.min(d.accepted_at)).where(mine))).scalar_one_or_none()
    count = sa.select(sa.func.count()).select_from(delivery).where(meant)
    needed = math.ceil(int((await conn.execute(count)).scalar_one()) * _NINE_TENTHS)
    ninth: datetime | None = None
    if needed:
        arrived = sa.select(d.delivered_at).where(meant, d.delivered_at.is_not(None))
        arrived = arrived.order_by(d.delivered_at).offset(needed - 1).limit(1)
        ninth = (await conn.execute(arrived)).scalar_one_or_none()
    known = Ledger.model_validate(snapshot.get("ledger") or {})
    reached = known.model_copy(update={"first_accepted_at": first, "delivered_90_at": ninth})
    return reached.model_dump(mode="json")


async def one_decision(conn: AsyncConnection, municipality: str, decision_id: str) -> Json | None:
    """Return a decision with its ruling, ``None`` while it has none."""
    d = decision.c
    found = await conn.execute(
        sa.select(decision).where(d.municipality == municipality, d.decision_id == decision_id)
    )
    row = found.mappings().first()
    return _shown(row) if row else None


async def town_figures(conn: AsyncConnection, municipality: str) -> Json:
    """Return what a person on duty asks first about one town."""
    return {
        "warnings_in_force": await _count(
            conn, warning, municipality, warning.c.state == WarningState.AUTHORISED.value
        ),
        "requests_pending": await _count(
            conn, authority_request, municipality, authority_request.c.state == "pending"
        ),
        "alerts_open": await _count(conn, alert, municipality, alert.c.state == "open"),
        "tasks_open": await _count(conn, task, municipality, task.c.state.in_(("assigned", "accepted"))),
        "answers": await _count(conn, reply, municipality, sa.true()),
        "acknowledgements": await _count(conn, ack, municipality, sa.true()),
    }


async def waiting(conn: AsyncConnection) -> Json:
    """Return what is still to be done by this service, over all towns."""
    unexpanded = sa.select(sa.func.count()).select_from(expansion).where(expansion.c.done_at.is_(None))
    unread = sa.select(sa.func.count()).select_from(door_inbox)
    unread = unread.where(door_inbox.c.processed_at.is_(None))
    return {
        "expansions": int((await conn.execute(unexpanded)).scalar_one()),
        "answers_unread": int((await conn.execute(unread)).scalar_one()),
    }


async def _count(
    conn: AsyncConnection, table: sa.Table, municipality: str, where: sa.ColumnElement[bool]
) -> int:
    count = sa.select(sa.func.count()).select_from(table)
    count = count.where(table.c.municipality == municipality, where)
    return int((await conn.execute(count)).scalar_one())


async def _with_words(conn: AsyncConnection, municipality: str, head: Json) -> Json:
    """Add what the version in force says, or what is asked while none is."""
    v = warning_version.c
    version = head["in_force_version"] or head["version"]
    found = await conn.execute(
        sa.select(v.snapshot).where(
            v.municipality == municipality,
            v.warning_id == head["warning_id"],
            v.version == version,
        )
    )
    says = found.scalar_one_or_none() or {}
    authority = says.get("authority") or {}
    by = authority.get("operator_id") or authority.get("instrument") or authority.get("kind")
    names = ("purpose", "zones", "texts", "audience", "content_hash", "incident_version", "hazard", "reasons")
    said = {name: says.get(name) for name in names}
    newest = {"version": version, "newest_version": head["version"]}
    return {**head, **said, **newest, "authority": by, "authority_of": authority}


def _shown(row: sa.RowMapping) -> Json:
    """Return a row as JSON, without what is sealed."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in row.items()
        if not isinstance(value, bytes) and name != "municipality"
    }


async def oldest_undelivered(conn: AsyncConnection) -> datetime | None:
    """Return since when the oldest message waits for the carrier."""
    d = delivery.c
    still = (MessageState.PLANNED.value, MessageState.SENDING.value, MessageState.UNRESOLVED.value)
    wanted = sa.select(sa.func.min(d.planned_at)).where(d.state.in_(still))
    found: datetime | None = (await conn.execute(wanted)).scalar_one_or_none()
    return found


async def undelivered_s(conn: AsyncConnection, *, now: Callable[[], datetime]) -> float:
    """Return for how long the oldest message has waited for the carrier; 0 where none does."""
    oldest = await oldest_undelivered(conn)
    return max(0.0, (now() - oldest).total_seconds()) if oldest else 0.0


async def attempts(conn: AsyncConnection) -> int:
    """Return how often somebody spoke with an authority that was not theirs."""
    count = sa.select(sa.func.count()).select_from(audit)
    count = count.where(audit.c.action.in_(("authority.refused", "decision.forged")))
    return int((await conn.execute(count)).scalar_one())


async def answers_failed(conn: AsyncConnection) -> int:
    """Return how many answers had no effect for a fault of ours; the audit names each."""
    count = sa.select(sa.func.count()).select_from(audit).where(audit.c.action == "answer.failed")
    return int((await conn.execute(count)).scalar_one())
