"""Requests for authority: what somebody is asked to sign, and whether it still stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events.base import Reason
from schemas.vocabulary import Purpose
from services.notify.tables import authority_request
from services.runtime.database import insert_into

PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Request:
    """One content that waits for a yes: ``purpose`` ``warning`` for new words, ``renewal`` for more time."""

    request_id: str
    warning_id: str
    version: int
    incident_id: str
    incident_version: int
    purpose: Purpose
    content_hash: str
    state: str
    alert_id: str
    reasons: tuple[Reason, ...]
    opened_at: datetime
    expires_at: datetime

    @property
    def is_pending(self) -> bool:
        return self.state == PENDING


async def add(conn: AsyncConnection, municipality: str, new: Request) -> None:
    row = {
        "municipality": municipality,
        "request_id": new.request_id,
        "warning_id": new.warning_id,
        "version": new.version,
        "incident_id": new.incident_id,
        "incident_version": new.incident_version,
        "purpose": new.purpose.value,
        "content_hash": new.content_hash,
        "state": new.state,
        "alert_id": new.alert_id,
        "reasons": [reason.model_dump() for reason in new.reasons],
        "opened_at": new.opened_at,
        "expires_at": new.expires_at,
    }
    await conn.execute(insert_into(conn, authority_request).values(row).on_conflict_do_nothing())


async def find(conn: AsyncConnection, municipality: str, request_id: str) -> Request | None:
    q = authority_request.c
    wanted = sa.select(authority_request).where(q.municipality == municipality, q.request_id == request_id)
    row = (await conn.execute(wanted.with_for_update())).mappings().first()
    return _request(row) if row else None


async def pending(
    conn: AsyncConnection, municipality: str, incident_id: str, purpose: Purpose
) -> Request | None:
    """Return what is being asked about this incident, locked where rows can be."""
    q = authority_request.c
    wanted = (
        sa.select(authority_request)
        .where(q.municipality == municipality, q.incident_id == incident_id)
        .where(q.purpose == purpose.value, q.state == PENDING)
        .order_by(q.opened_at.desc())
        .limit(1)
        .with_for_update()
    )
    row = (await conn.execute(wanted)).mappings().first()
    return _request(row) if row else None


async def close(
    conn: AsyncConnection,
    municipality: str,
    request_id: str,
    state: str,
    *,
    by: str | None,
    reasons: Sequence[Reason],
    at: datetime,
) -> bool:
    """End a pending request; say whether it was pending. Two answers in one second: one of them wins.

    ``reasons`` are added to those that it has by now: the signature before the last one stays readable.
    """
    q = authority_request.c
    held = await find(conn, municipality, request_id)
    kept = dict.fromkeys((*(held.reasons if held else ()), *reasons))
    mine = (q.municipality == municipality) & (q.request_id == request_id) & (q.state == PENDING)
    new: dict[str, Any] = {"state": state, "closed_by": by, "closed_at": at}
    new |= {"reasons": [reason.model_dump() for reason in kept]}
    return (await conn.execute(sa.update(authority_request).where(mine).values(new))).rowcount == 1


async def add_reasons(
    conn: AsyncConnection, municipality: str, row: Request, reasons: Sequence[Reason]
) -> None:
    """Show why it still waits; each reason once."""
    q = authority_request.c
    mine = (q.municipality == municipality) & (q.request_id == row.request_id)
    held = await find(conn, municipality, row.request_id) or row
    kept = dict.fromkeys((*held.reasons, *reasons))
    new = {"reasons": [reason.model_dump() for reason in kept]}
    await conn.execute(sa.update(authority_request).where(mine).values(new))


async def count_voided(conn: AsyncConnection, municipality: str, incident_id: str, why: Reason) -> int:
    """Return how many requests of this incident ended for this reason."""
    q = authority_request.c
    wanted = sa.select(q.reasons).where(q.municipality == municipality, q.incident_id == incident_id)
    ended = (await conn.execute(wanted.where(q.state != PENDING))).scalars()
    return sum(any(reason["code"] == why.code for reason in reasons) for reasons in ended)


def _request(row: sa.RowMapping) -> Request:
    return Request(
        request_id=row["request_id"],
        warning_id=row["warning_id"],
        version=row["version"],
        incident_id=row["incident_id"],
        incident_version=row["incident_version"],
        purpose=Purpose(row["purpose"]),
        content_hash=row["content_hash"],
        state=row["state"],
        alert_id=row["alert_id"],
        reasons=tuple(Reason.model_validate(reason) for reason in row["reasons"]),
        opened_at=row["opened_at"],
        expires_at=row["expires_at"],
    )
