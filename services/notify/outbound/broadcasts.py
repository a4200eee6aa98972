"""Turn one broadcast into one message per resident: set-based, nearest first, in chunks that may go on later.

Nothing here loops over residents: each chunk is one INSERT … SELECT, and the cursor moves in its transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import Channel, MessageState
from services.notify.outbound import told
from services.notify.outbound.recipients import RESIDENT
from services.notify.tables import alert, delivery, expansion, recipient
from services.runtime.database import insert_into

CHUNK = 2_000


class Source(StrEnum):
    """Whom a broadcast goes to: who lives in the zone, or who was ever sent any version."""

    ZONE = "zone"
    TOLD = "told"


@dataclass(frozen=True, slots=True)
class Template:
    """What every message of one part has in common.

    Attributes:
        zones: All zones of the broadcast: who was told and has moved away gets the first part's words.
        languages: All languages of the broadcast: who reads another gets the first part's words.
    """

    incident_id: str
    warning_id: str
    version: int
    purpose: str
    body_id: str
    lane: int
    content_hash: str
    expires_at: str
    zones: tuple[str, ...]
    languages: tuple[str, ...]
    exercise_id: str | None
    correlation_id: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """One zone and language of a broadcast, and how far it has come."""

    alert_id: str
    zone: str
    language: str
    source: Source
    template: Template
    after: tuple[float, str] = (-1.0, "")
    written: int = 0

    @property
    def name(self) -> str:
        return f"{self.zone}/{self.language}"


async def add(conn: AsyncConnection, municipality: str, parts: Sequence[Part], at: datetime) -> None:
    """Keep what is to be expanded."""
    rows = [
        {
            "municipality": municipality,
            "alert_id": part.alert_id,
            "part": part.name,
            "zone": part.zone,
            "language": part.language,
            "source": part.source.value,
            "template": asdict(part.template),
            "created_at": at,
        }
        for part in parts
    ]
    await conn.execute(insert_into(conn, expansion).on_conflict_do_nothing(), rows)


async def left(conn: AsyncConnection, municipality: str, alert_id: str) -> list[Part]:
    """Return the parts that are not yet fully expanded, locked where rows can be."""
    e = expansion.c
    wanted = (
        sa.select(expansion)
        .where(e.municipality == municipality, e.alert_id == alert_id, e.done_at.is_(None))
        .order_by(e.part)
        .with_for_update()
    )
    return [_part(row) for row in (await conn.execute(wanted)).mappings()]


async def stop(
    conn: AsyncConnection, municipality: str, warning_id_alerts: Sequence[str], at: datetime
) -> None:
    """Expand no further for these alerts."""
    e = expansion.c
    mine = (e.municipality == municipality) & e.alert_id.in_(warning_id_alerts) & e.done_at.is_(None)
    await conn.execute(sa.update(expansion).where(mine).values(done_at=at))


async def expand(
    conn: AsyncConnection, municipality: str, part: Part, at: datetime, limit: int = CHUNK
) -> bool:
    """Write the messages of the next ``limit`` residents; say whether some are left."""
    last = await _last_of_chunk(conn, municipality, part, limit)
    chunk = _members(municipality, part, upto=last)
    insert = insert_into(conn, delivery).from_select(*_messages(municipality, part, chunk, at))
    written = (await conn.execute(insert.on_conflict_do_nothing())).rowcount
    e = expansion.c
    mine = (e.municipality == municipality) & (e.alert_id == part.alert_id) & (e.part == part.name)
    moved: dict[str, Any] = {"written": e.written + max(written, 0)}
    if last is None:
        moved["done_at"] = at
    else:
        moved |= {"after_distance_m": last[0], "after_recipient_id": last[1]}
    await conn.execute(sa.update(expansion).where(mine).values(moved))
    return last is not None


async def told_of(conn: AsyncConnection, municipality: str, warning_id: str) -> list[tuple[str, str, str]]:
    """Return zone, recipient and language of every resident who may have been sent a version of a warning."""
    r = recipient.c
    wanted = (
        sa.select(sa.func.coalesce(r.zone, ""), r.recipient_id, r.language)
        .where(r.municipality == municipality, r.kind == RESIDENT)
        .where(r.recipient_id.in_(told.of_warning(municipality, warning_id)))
        .order_by(r.recipient_id)
    )
    return [(zone, who, language) for zone, who, language in await conn.execute(wanted)]


def _members(
    municipality: str, part: Part, upto: tuple[float, str] | None = None
) -> sa.Select[tuple[str, float, bool]]:
    r, t = recipient.c, part.template
    place = sa.tuple_(r.distance_m, r.recipient_id)
    is_first = part.zone == t.zones[0], part.language == t.languages[0]
    language = r.language == part.language
    if is_first[1]:
        language = sa.or_(language, r.language.not_in(t.languages))
    wanted = sa.select(r.recipient_id, r.distance_m, r.opted_out).where(
        r.municipality == municipality, r.kind == RESIDENT, language, place > sa.tuple_(*part.after)
    )
    if part.source is Source.ZONE:
        wanted = wanted.where(r.zone == part.zone, r.active)
    else:
        here = r.zone == part.zone
        if is_first[0]:
            here = sa.or_(here, r.zone.is_(None), r.zone.not_in(t.zones))
        wanted = wanted.where(here, r.recipient_id.in_(told.of_warning(municipality, t.warning_id)))
    return wanted if upto is None else wanted.where(place <= sa.tuple_(*upto))


async def _last_of_chunk(
    conn: AsyncConnection, municipality: str, part: Part, limit: int
) -> tuple[float, str] | None:
    """Return the place of the chunk's last member when more follow, else ``None``: this chunk is the last."""
    r = recipient.c
    ordered = _members(municipality, part).order_by(r.distance_m, r.recipient_id)
    rows = (await conn.execute(ordered.offset(limit - 1).limit(2))).all()
    return (float(rows[0].distance_m), rows[0].recipient_id) if len(rows) == 2 else None


def _messages(
    municipality: str, part: Part, chunk: sa.Select[tuple[str, float, bool]], at: datetime
) -> tuple[list[str], sa.Select[Any]]:
    m, t = chunk.subquery("member").c, part.template
    refused = m.opted_out if part.source is Source.ZONE else sa.false()
    state = sa.case(
        (refused, sa.literal(MessageState.SUPPRESSED.value)), else_=sa.literal(MessageState.PLANNED.value)
    )
    column = delivery.c
    values: dict[str, Any] = {
        "municipality": sa.literal(municipality),
        "message_id": sa.literal(f"{part.alert_id}.")
        + m.recipient_id
        + sa.literal(f".{Channel.SMS.value}.0"),
        "alert_id": sa.literal(part.alert_id),
        "incident_id": sa.literal(t.incident_id),
        "warning_id": sa.literal(t.warning_id),
        "version": sa.literal(t.version),
        "purpose": sa.literal(t.purpose),
        "channel": sa.literal(Channel.SMS.value),
        "round": sa.literal(0),
        "recipient_id": m.recipient_id,
        "body_id": sa.literal(t.body_id),
        "lane": sa.literal(t.lane),
        "rank": m.distance_m,
        "state": state,
        "attempt": sa.literal(0),
        "next_attempt_at": sa.literal(at, column.next_attempt_at.type),
        "expires_at": sa.literal(datetime.fromisoformat(t.expires_at), column.expires_at.type),
        "content_hash": sa.literal(t.content_hash),
        "exercise_id": sa.literal(t.exercise_id, column.exercise_id.type),
        "correlation_id": sa.literal(t.correlation_id, column.correlation_id.type),
        "planned_at": sa.literal(at, column.planned_at.type),
        "updated_at": sa.literal(at, column.updated_at.type),
        "maybe_duplicate": sa.false(),
    }
    typed = [sa.cast(value, column[name].type).label(name) for name, value in values.items()]
    # SQLite takes "ON CONFLICT" behind a bare FROM for a join; a WHERE ends it.
    return list(values), sa.select(*typed).where(sa.text("1 = 1"))


def _part(row: sa.RowMapping) -> Part:
    packed = dict(row["template"])
    packed["zones"], packed["languages"] = tuple(packed["zones"]), tuple(packed["languages"])
    return Part(
        alert_id=row["alert_id"],
        zone=row["zone"],
        language=row["language"],
        source=Source(row["source"]),
        template=Template(**packed),
        after=(row["after_distance_m"], row["after_recipient_id"]),
        written=row["written"],
    )


async def alerts_of(conn: AsyncConnection, municipality: str, warning_id: str) -> list[str]:
    """Return the broadcasts of a warning that are not yet fully expanded."""
    e, a = expansion.c, alert.c
    same = (a.municipality == e.municipality) & (a.alert_id == e.alert_id)
    wanted = (
        sa.select(e.alert_id)
        .distinct()
        .select_from(expansion.join(alert, same))
        .where(e.municipality == municipality, a.warning_id == warning_id, e.done_at.is_(None))
    )
    return [alert_id for (alert_id,) in await conn.execute(wanted)]
