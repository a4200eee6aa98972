"""Four digits per question and person: given once, guessed at most five times in a row.

Only a live code counts: one that was answered, fell away or expired neither takes a guess nor locks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify.domain import names
from services.notify.tables import code, recipient
from services.runtime.database import insert_into

MOST_GUESSES = 5
_MOST_TRIES = 50


@dataclass(frozen=True, slots=True)
class Code:
    """``subject_kind``: ``request`` (may approve), ``alert`` (may acknowledge) or ``task``."""

    subject_id: str
    subject_kind: str
    person_id: str
    incident_id: str
    code: str


async def give(
    conn: AsyncConnection,
    municipality: str,
    key: bytes,
    subject: tuple[str, str],
    person_id: str,
    *,
    incident_id: str,
    at: datetime,
    expires_at: datetime,
) -> str:
    """Return the person's code for ``subject`` (kind, id), made at the first call, good until ``expires_at``.

    No other open code of the same phone is the same, in whatever town that phone is known; one that holds
    again after it was over may have to be another.
    """
    kind, subject_id = subject
    c = code.c
    mine = (c.municipality == municipality) & (c.subject_id == subject_id) & (c.person_id == person_id)
    held = (await conn.execute(sa.select(c.code, c.closed_at, c.expires_at).where(mine))).first()
    if held is not None and held.closed_at is None:
        if expires_at > held.expires_at:  # It rings on: what it says must be good as long.
            await conn.execute(sa.update(code).where(mine).values(expires_at=expires_at))
        return str(held.code)
    taken = await _open_codes_of_phone(conn, municipality, person_id)
    made = (names.four_digits(key, municipality, subject_id, person_id, n) for n in range(_MOST_TRIES))
    tries = chain([str(held.code)] if held is not None else [], made)
    chosen = next(digits for digits in tries if digits not in taken)
    fresh = {"code": chosen, "issued_at": at, "expires_at": expires_at}
    if held is not None:
        await conn.execute(
            sa.update(code).where(mine).values(fresh | {"closed_at": None, "attempts": 0, "locked_at": None})
        )
        return chosen
    row = {
        "municipality": municipality,
        "subject_id": subject_id,
        "person_id": person_id,
        "subject_kind": kind,
        "incident_id": incident_id,
    }
    await conn.execute(insert_into(conn, code).values(row | fresh))
    return chosen


async def match(
    conn: AsyncConnection, municipality: str, person_id: str, digits: str, at: datetime
) -> Code | None:
    """Return what this person's code stands for, an open question before one that is over.

    A code that was guessed at too often or has expired stands for nothing.
    """
    c = code.c
    wanted = (
        sa.select(c.subject_id, c.subject_kind, c.person_id, c.incident_id, c.code)
        .where(c.municipality == municipality, c.person_id == person_id, c.code == digits)
        .where(c.locked_at.is_(None), c.expires_at > at)
        .order_by(c.closed_at.is_not(None), c.issued_at.desc())
        .limit(1)
    )
    row = (await conn.execute(wanted)).first()
    if row is None:
        return None
    guessed = _live(municipality, person_id, at) & c.locked_at.is_(None) & (c.attempts > 0)
    await conn.execute(sa.update(code).where(guessed).values(attempts=0))  # Who knows one is no guesser.
    return Code(*row)


async def wrong_guess(conn: AsyncConnection, municipality: str, person_id: str, at: datetime) -> list[Code]:
    """Count a wrong code against all that this person is asked now; return what that locked."""
    c = code.c
    mine = _live(municipality, person_id, at) & c.locked_at.is_(None)
    await conn.execute(sa.update(code).where(mine).values(attempts=c.attempts + 1))
    full = sa.update(code).where(mine, c.attempts >= MOST_GUESSES).values(locked_at=at)
    shown = full.returning(c.subject_id, c.subject_kind, c.person_id, c.incident_id, c.code)
    return sorted((Code(*row) for row in await conn.execute(shown)), key=lambda each: each.subject_id)


async def is_locked(conn: AsyncConnection, municipality: str, person_id: str, at: datetime) -> bool:
    """Say whether too many guesses were made at something that this person is still asked."""
    mine = _live(municipality, person_id, at) & code.c.locked_at.is_not(None)
    locked = sa.select(sa.func.count()).select_from(code).where(mine)
    return bool((await conn.execute(locked)).scalar_one())


def _live(municipality: str, person_id: str, at: datetime) -> sa.ColumnElement[bool]:
    c = code.c
    mine = (c.municipality == municipality) & (c.person_id == person_id)
    return mine & c.closed_at.is_(None) & (c.expires_at > at)


async def close(conn: AsyncConnection, municipality: str, subjects: Sequence[str], at: datetime) -> None:
    """End the codes of questions that were answered or fell away."""
    c = code.c
    mine = (c.municipality == municipality) & c.subject_id.in_(subjects) & c.closed_at.is_(None)
    await conn.execute(sa.update(code).where(mine).values(closed_at=at))


async def close_for(
    conn: AsyncConnection, municipality: str, subject: str, persons: Sequence[str], at: datetime
) -> None:
    """End the codes of some of those who were asked."""
    c = code.c
    mine = (c.municipality == municipality) & (c.subject_id == subject) & c.person_id.in_(persons)
    await conn.execute(sa.update(code).where(mine, c.closed_at.is_(None)).values(closed_at=at))


async def of_person(
    conn: AsyncConnection, municipality: str, person_id: str, at: datetime, *, is_open: bool = True
) -> list[Code]:
    """Return what this person was asked and may still answer, the newest first."""
    c = code.c
    wanted = (
        sa.select(c.subject_id, c.subject_kind, c.person_id, c.incident_id, c.code)
        .where(c.municipality == municipality, c.person_id == person_id)
        .where(c.locked_at.is_(None), c.expires_at > at)
        .order_by(c.issued_at.desc(), c.subject_id)
    )
    if is_open:
        wanted = wanted.where(c.closed_at.is_(None))
    return [Code(*row) for row in await conn.execute(wanted)]


async def incidents_of(conn: AsyncConnection, municipality: str, person_id: str, at: datetime) -> set[str]:
    """Return every incident that this person's codes can still speak of."""
    c = code.c
    mine = (c.municipality == municipality) & (c.person_id == person_id) & (c.expires_at > at)
    return set((await conn.execute(sa.select(c.incident_id).where(mine))).scalars())


async def asked_lately(
    conn: AsyncConnection, municipality: str, person_id: str, since: datetime
) -> frozenset[str]:
    """Return the requests of authority that stood before this person at any time since then."""
    c = code.c
    wanted = sa.select(c.subject_id).where(
        c.municipality == municipality, c.person_id == person_id, c.subject_kind == "request"
    )
    lately = wanted.where(sa.or_(c.closed_at.is_(None), c.closed_at > since))
    return frozenset((await conn.execute(lately)).scalars())


async def _open_codes_of_phone(conn: AsyncConnection, municipality: str, person_id: str) -> set[str]:
    r, c = recipient.c, code.c
    phone = (
        sa.select(r.phone_index)
        .where(r.municipality == municipality, r.recipient_id == person_id)
        .scalar_subquery()
    )
    same = (r.municipality == c.municipality) & (r.recipient_id == c.person_id)
    wanted = sa.select(c.code).select_from(code.join(recipient, same))
    wanted = wanted.where(r.phone_index == phone, c.closed_at.is_(None))
    return {digits for (digits,) in await conn.execute(wanted)}
