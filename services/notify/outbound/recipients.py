"""Who can be told: people on duty from the folder, residents who asked for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.municipality.duty import Person, Resident
from services.notify.domain.audience import digest
from services.notify.outbound.phones import PhoneCipher
from services.notify.tables import delivery, recipient
from services.runtime.database import insert_into

PERSON = "person"
RESIDENT = "resident"


@dataclass(frozen=True, slots=True)
class Group:
    """The subscribers of some zones: ``digest`` changes when anybody joins, leaves or moves."""

    digest: str
    phones: int


async def keep_people(
    conn: AsyncConnection, municipality: str, people: Sequence[Person], cipher: PhoneCipher, at: datetime
) -> None:
    """Make the directory's people those who can be told; who left it stays, inactive."""
    r = recipient.c
    mine = (r.municipality == municipality) & (r.kind == PERSON)
    await conn.execute(sa.update(recipient).where(mine).values(active=False))
    await _upsert(
        conn,
        [
            {
                "municipality": municipality,
                "recipient_id": person.person_id,
                "kind": PERSON,
                "language": person.language,
                "active": True,
                "imported_at": at,
                **_phone(person.phone, cipher),
                "role": person.role.value,
                "block": person.team or None,
            }
            for person in people
        ],
    )


async def keep_residents(
    conn: AsyncConnection, municipality: str, residents: Sequence[Resident], cipher: PhoneCipher, at: datetime
) -> None:
    """Add or change subscribers. Who asked not to be told stays so until they ask again in person.

    A person of the directory, today's or a former one, is never made a resident: see ``people_among``.
    """
    await _upsert(
        conn,
        [
            {
                "municipality": municipality,
                "recipient_id": row.resident_id,
                "kind": RESIDENT,
                "language": row.language,
                "active": True,
                "imported_at": at,
                **_phone(row.phone, cipher),
                "zone": row.zone,
                "block": row.block or None,
                "distance_m": float(row.distance_m),
            }
            for row in residents
        ],
        only=RESIDENT,
    )


async def people_among(conn: AsyncConnection, municipality: str, ids: Sequence[str]) -> frozenset[str]:
    """Return which of these ids are people of the directory, or were: no resident may bear one."""
    r = recipient.c
    wanted = sa.select(r.recipient_id).where(
        r.municipality == municipality, r.kind == PERSON, r.recipient_id.in_(ids)
    )
    return frozenset((await conn.execute(wanted)).scalars())


async def group_of(conn: AsyncConnection, municipality: str, zones: Sequence[str]) -> Group:
    """Return the subscribers of these zones as one digest; opted-out ones count, they are shown unreached."""
    r = recipient.c
    wanted = (
        sa.select(r.zone, r.recipient_id, r.language)
        .where(r.municipality == municipality, r.kind == RESIDENT, r.active, r.zone.in_(zones))
        .order_by(r.recipient_id)
    )
    members = [(zone, who, language) for zone, who, language in await conn.execute(wanted)]
    return Group(digest(members), len(members))


async def opt_out(conn: AsyncConnection, municipality: str, recipient_id: str, at: datetime) -> bool:
    """Stop texts to a resident's phone, under whatever rows it is known here; say whether any changed."""
    r, same = recipient.c, recipient.alias("same")
    phone = sa.select(same.c.phone_index).where(
        same.c.municipality == municipality, same.c.recipient_id == recipient_id, same.c.kind == RESIDENT
    )
    mine = (r.municipality == municipality) & r.phone_index.in_(phone)
    change = sa.update(recipient).where(mine, r.kind == RESIDENT, r.opted_out.is_(False))
    return (await conn.execute(change.values(opted_out=True, opted_out_at=at))).rowcount > 0


@dataclass(frozen=True, slots=True)
class Known:
    """A recipient without their number."""

    recipient_id: str
    kind: str
    language: str
    zone: str | None


async def find(conn: AsyncConnection, municipality: str, recipient_id: str) -> Known | None:
    r = recipient.c
    wanted = sa.select(r.recipient_id, r.kind, r.language, r.zone).where(
        r.municipality == municipality, r.recipient_id == recipient_id
    )
    row = (await conn.execute(wanted)).first()
    return Known(*row) if row else None


async def team(conn: AsyncConnection, municipality: str, assignee: str) -> list[str]:
    """Return the people of a brigade, or the one person of that id."""
    r = recipient.c
    wanted = (
        sa.select(r.recipient_id)
        .where(r.municipality == municipality, r.kind == PERSON, r.active)
        .where(sa.or_(r.recipient_id == assignee, r.block == assignee))
        .order_by(r.recipient_id)
    )
    return [row for (row,) in await conn.execute(wanted)]


async def blocks_unreached(
    conn: AsyncConnection, municipality: str, alert_id: str
) -> AsyncIterator[tuple[str, str, int, int]]:
    """Yield zone, block, phones and how many of them a broadcast has not reached, block by block."""
    d, r = delivery.c, recipient.c
    reached = d.state.in_(("delivered", "answered"))
    count, missing = sa.func.count(), sa.func.sum(sa.case((reached, 0), else_=1))
    wanted = (
        sa.select(r.zone, r.block, count, missing)
        .select_from(delivery.join(recipient, _same_person()))
        .where(d.municipality == municipality, d.alert_id == alert_id, r.block.is_not(None))
        .group_by(r.zone, r.block)
        .order_by(r.zone, r.block)
    )
    for zone, block, phones, unreached in await conn.execute(wanted):
        yield zone or "", block, phones, int(unreached or 0)


def _same_person() -> sa.ColumnElement[bool]:
    return (recipient.c.municipality == delivery.c.municipality) & (
        recipient.c.recipient_id == delivery.c.recipient_id
    )


def _phone(phone: str, cipher: PhoneCipher) -> dict[str, object]:
    return {"phone_enc": cipher.seal(phone), "phone_index": cipher.index(phone)}


async def _upsert(
    conn: AsyncConnection, rows: Sequence[dict[str, object]], *, only: str | None = None
) -> None:
    """Add or change; ``only``: rows of another kind than this are left as they are."""
    if not rows:
        return
    insert = insert_into(conn, recipient)
    new = {name: insert.excluded[name] for name in rows[0] if name not in {"municipality", "recipient_id"}}
    keys = ["municipality", "recipient_id"]
    where = None if only is None else recipient.c.kind == only
    await conn.execute(insert.on_conflict_do_update(index_elements=keys, set_=new, where=where), list(rows))
