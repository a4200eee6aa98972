"""What the console shows, read from its own tables: every number with its denominator and its age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events.warnings import Ledger
from services.console.domain import lost_time
from services.console.domain.standing import NOT_MEANT, PUBLIC
from services.console.tables import event, heard, message, town

Json = dict[str, Any]  # Any: JSON documents
Place = tuple[datetime, str]
_PUBLIC = tuple(each.value for each in PUBLIC)
_NOT_MEANT = tuple(each.value for each in NOT_MEANT)


async def as_of(conn: AsyncConnection, municipality: str) -> Json:
    """Return the newest moment that each topic spoke of."""
    wanted = sa.select(heard.c.topic, heard.c.at).where(heard.c.municipality == municipality)
    return {row.topic: row.at.isoformat() for row in await conn.execute(wanted.order_by(heard.c.topic))}


async def newest_first(
    conn: AsyncConnection,
    table: sa.Table,
    municipality: str,
    *,
    before: Place | None = None,
    limit: int = 100,
    only: Mapping[str, str | None] | None = None,
) -> list[Json]:
    """Return rows of one town, what began last first, from behind ``before``."""
    t = table.c
    key = t[f"{table.name}_id"]
    wanted = _only(sa.select(table).where(t.municipality == municipality), table, only or {})
    if before is not None:
        at, last = before
        wanted = wanted.where(sa.or_(t.began_at < at, sa.and_(t.began_at == at, key < last)))
    rows = await conn.execute(wanted.order_by(t.began_at.desc(), key.desc()).limit(limit))
    return [dict(row) for row in rows.mappings()]


async def messages(
    conn: AsyncConnection,
    municipality: str,
    *,
    after: str = "",
    limit: int = 100,
    only: Mapping[str, str | None] | None = None,
) -> list[Json]:
    """Return messages by id, each with when it was first known to have left and arrived."""
    m = message.c
    wanted = sa.select(message).where(m.municipality == municipality, m.message_id > after)
    wanted = _only(wanted, message, only or {})
    return [
        _shown(row) for row in (await conn.execute(wanted.order_by(m.message_id).limit(limit))).mappings()
    ]


async def one(conn: AsyncConnection, table: sa.Table, municipality: str, key: str) -> Json | None:
    """Return a row of the town by its id."""
    t = table.c
    wanted = sa.select(table).where(t.municipality == municipality, t[f"{table.name}_id"] == key)
    row = (await conn.execute(wanted)).mappings().first()
    return dict(row) if row is not None else None


async def town_row(conn: AsyncConnection, municipality: str) -> Json | None:
    """Return which version of the town's folder is in force."""
    row = (await conn.execute(sa.select(town).where(town.c.municipality == municipality))).mappings().first()
    return _shown(row) if row is not None else None


async def events_of(conn: AsyncConnection, municipality: str, incident_id: str) -> list[Json]:
    """Return everything that happened to an incident, in the order in which it is said to have happened."""
    e = event.c
    mine = (e.municipality == municipality) & (e.incident_id == incident_id)
    rows = await conn.execute(sa.select(event).where(mine))
    found = [dict(row) for row in rows.mappings()]
    return sorted(found, key=lambda row: (row["at"], row["subject_id"], row["version"] or 0, row["event_id"]))


async def versions_of(conn: AsyncConnection, municipality: str, subject_id: str) -> list[Json]:
    """Return every version of a thing, oldest first."""
    e = event.c
    mine = (e.municipality == municipality) & (e.subject_id == subject_id) & e.version.is_not(None)
    rows = await conn.execute(sa.select(event).where(mine).order_by(e.version))
    return [dict(row) for row in rows.mappings()]


async def fates(conn: AsyncConnection, municipality: str, *where: sa.ColumnElement[bool]) -> Json:
    """Return how many messages stand in each state, of how many, and since when that is known."""
    m = message.c
    groups = (m.purpose, m.channel, m.state)
    counted = sa.select(*groups, sa.func.count().label("count"), sa.func.max(m.at).label("as_of"))
    rows = await conn.execute(
        counted.where(m.municipality == municipality, *where).group_by(*groups).order_by(*groups)
    )
    by_state = [_shown(row) for row in rows.mappings()]
    return {
        "count": sum(row["count"] for row in by_state),
        "as_of": max((row["as_of"] for row in by_state), default=None),
        "by_state": by_state,
    }


async def ledger(conn: AsyncConnection, municipality: str, version: Mapping[str, Any]) -> Json:
    """Return the time lost by one version of a warning.

    Nine tenths are of all who were meant: those of whom nothing was heard yet are in the denominator.
    """
    m = message.c
    body = version["body"]
    mine = (m.municipality == municipality) & (m.warning_id == version["subject_id"])
    mine &= (m.version == version["version"]) & m.purpose.in_(_PUBLIC)
    counts = (
        await conn.execute(
            sa.select(
                sa.func.min(m.handed_over_at),
                sa.func.count(),
                sa.func.sum(sa.case((m.state.in_(_NOT_MEANT), 1), else_=0)),
                sa.func.max(m.at),
            ).where(mine)
        )
    ).one()
    known, not_meant = int(counts[1]), int(counts[2] or 0)
    told = known > 0 or version["type"] != "warning.requested"
    meant = max(known, int(body["audience"]["phones"]) if told else 0) - not_meant
    arrived = await conn.execute(
        sa.select(m.delivered_at).where(mine, m.delivered_at.is_not(None), m.state.not_in(_NOT_MEANT))
    )
    moments = list(arrived.scalars())
    reached = lost_time.ledger(
        Ledger.model_validate(body.get("ledger") or {}),
        counts[0],
        lost_time.delivered_90_at(moments, meant),
    )
    newest = counts[3]
    return {
        **reached.model_dump(mode="json"),
        "steps": lost_time.steps(reached),
        "total_s": lost_time.total_s(reached),
        "delivered": {"count": len(moments), "of": meant},
        "as_of": (newest if isinstance(newest, datetime) else version["at"]).isoformat(),
    }


def _only(wanted: sa.Select[Any], table: sa.Table, only: Mapping[str, str | None]) -> sa.Select[Any]:
    for name, value in only.items():
        if value is not None:
            wanted = wanted.where(table.c[name] == value)
    return wanted


def _shown(row: Mapping[Any, Any]) -> Json:
    """Return a row as JSON, without the town that was asked for."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in row.items()
        if name != "municipality"
    }


def shown(rows: Sequence[Mapping[Any, Any]]) -> list[Json]:
    return [_shown(row) for row in rows]
