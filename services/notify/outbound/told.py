"""Who may have read what of a warning: the rule of ``audience.was_told``, said to the database.

A correction and a lift go to exactly those who were told. While it is open whether an older text left, they
wait; once it is certain that nothing ever left for a person, that person is not told of the end either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import MessageState, Purpose
from services.notify.domain.audience import PUBLIC, TO_THE_TOLD
from services.notify.tables import delivery

S = MessageState

_NEVER_LEFT: Final = tuple(each.value for each in (S.PLANNED, S.WITHDRAWN, S.SUPPRESSED, S.FAILED))
_IN_DOUBT: Final = (S.SENDING.value, S.UNRESOLVED.value)
_PUBLIC: Final = sorted(purpose.value for purpose in PUBLIC)
_TO_THE_TOLD: Final = sorted(purpose.value for purpose in TO_THE_TOLD)
# A renewal goes to the told as well where the warning was corrected.
_LATER: Final = [*_TO_THE_TOLD, Purpose.RENEWAL.value]


def of_warning(municipality: str, warning_id: str) -> sa.Select[tuple[str]]:
    """Select who may have been sent any version to residents; what is not known counts as sent.

    Questions to people on duty about the same warning are no warning.
    """
    d = delivery.c
    return sa.select(d.recipient_id).where(
        d.municipality == municipality, d.warning_id == warning_id, _may_have_left()
    )


def must_wait() -> sa.ColumnElement[bool]:
    """Say of a row of ``delivery`` that it waits: its person may or may not be receiving older words now."""
    d, older = delivery.c, delivery.alias("older")
    in_doubt = sa.exists().where(
        older.c.municipality == d.municipality,
        older.c.warning_id == d.warning_id,
        older.c.recipient_id == d.recipient_id,
        older.c.version < d.version,
        older.c.purpose.in_(_PUBLIC),
        older.c.state.in_(_IN_DOUBT),
    )
    return sa.and_(d.purpose.in_(_LATER), in_doubt)


async def untold(conn: AsyncConnection, municipality: str, rows: Sequence[Any]) -> list[str]:
    """Return those of these messages that would speak of a warning to somebody who never heard of it."""
    later = [row for row in rows if row.purpose in _LATER and row.attempt == 0]
    if not later:
        return []
    told = await _persons(conn, municipality, later, _may_have_left())
    corrected = await _persons(conn, municipality, later, delivery.c.purpose == Purpose.CORRECTION.value)
    return [
        row.message_id
        for row in later
        if (row.warning_id, row.recipient_id) not in told
        and (row.purpose in _TO_THE_TOLD or (row.warning_id, row.recipient_id) in corrected)
    ]


async def _persons(
    conn: AsyncConnection, municipality: str, rows: Sequence[Any], having: sa.ColumnElement[bool]
) -> set[tuple[str, str]]:
    """Return warning and recipient of these rows that have a message like this."""
    d = delivery.c
    found = await conn.execute(
        sa.select(d.warning_id, d.recipient_id)
        .distinct()
        .where(d.municipality == municipality, having)
        .where(d.warning_id.in_({row.warning_id for row in rows}))
        .where(d.recipient_id.in_({row.recipient_id for row in rows}))
    )
    return {(warning_id, recipient_id) for warning_id, recipient_id in found}


def missed(row: Any) -> tuple[sa.ColumnElement[bool], ...]:
    """Select later words that were held back because of ``row``, which did arrive after all."""
    d = delivery.c
    return (
        d.municipality == row.municipality,
        d.warning_id == row.warning_id,
        d.recipient_id == row.recipient_id,
        d.version > row.version,
        d.purpose.in_(_TO_THE_TOLD),
        d.state == S.WITHDRAWN.value,
        d.attempt == 0,
        d.withdrawn_at.is_(None),
    )


def is_public(purpose: str) -> bool:
    return Purpose(purpose) in PUBLIC


def _may_have_left() -> sa.ColumnElement[bool]:
    d = delivery.c
    left_us = sa.and_(d.sending_at.is_not(None), d.state.not_in(_NEVER_LEFT))
    return sa.and_(d.purpose.in_(_PUBLIC), sa.or_(d.maybe_duplicate, d.sid.is_not(None), left_us))
