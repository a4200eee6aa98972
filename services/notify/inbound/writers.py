"""Whose phone wrote to us, in which town: numbers are shared between towns more often than one thinks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify.tables import code, delivery, recipient

ANY_TOWN: Final = "*"
_FOUR_DIGITS: Final = re.compile(r"(?<!\d)\d{4}(?!\d)")


@dataclass(frozen=True, slots=True)
class Writer:
    municipality: str
    recipient_id: str


def towns_of(senders: Mapping[str, str], number: str) -> list[str]:
    """Return the towns that send from this number; every town where none does (a number ported or shared)."""
    return [town for town, sender in senders.items() if sender == number] or list(senders)


def town_of(senders: Mapping[str, str], number: str) -> str:
    """Return the one town that sends from this number, else ``*``."""
    towns = [town for town, sender in senders.items() if sender == number]
    return towns[0] if len(towns) == 1 else ANY_TOWN


async def find_writer(
    conn: AsyncConnection, towns: Sequence[str], phone_index: str, text: str
) -> Writer | None:
    """Return who wrote; ``None``: a number that no town knows.

    Where a phone is known more than once: the one with an open code that the text names, else the one who
    was told something last, a person on duty before a resident.
    """
    r = recipient.c
    found = await conn.execute(
        sa.select(r.municipality, r.recipient_id, r.kind)
        .where(r.phone_index == phone_index, r.municipality.in_(towns))
        .order_by(r.active.desc(), r.kind != "person", r.municipality, r.recipient_id)
    )
    writers = [Writer(row.municipality, row.recipient_id) for row in found]
    if len(writers) <= 1:
        return writers[0] if writers else None
    return await _by_code(conn, writers, text) or await _told_last(conn, writers) or writers[0]


async def _by_code(conn: AsyncConnection, writers: Sequence[Writer], text: str) -> Writer | None:
    said = _FOUR_DIGITS.findall(text)
    if not said:
        return None
    found = await conn.execute(
        sa.select(code.c.municipality, code.c.person_id)
        .where(code.c.code.in_(said), code.c.closed_at.is_(None))
        .order_by(code.c.issued_at.desc())
    )
    named = [Writer(row.municipality, row.person_id) for row in found]
    return next((each for each in named if each in writers), None)


async def _told_last(conn: AsyncConnection, writers: Sequence[Writer]) -> Writer | None:
    d = delivery.c
    pairs = [(each.municipality, each.recipient_id) for each in writers]
    found = await conn.execute(
        sa.select(d.municipality, d.recipient_id)
        .where(sa.tuple_(d.municipality, d.recipient_id).in_(pairs), d.sending_at.is_not(None))
        .order_by(d.sending_at.desc())
        .limit(1)
    )
    row = found.one_or_none()
    return None if row is None else Writer(row.municipality, row.recipient_id)
