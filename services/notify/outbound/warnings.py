"""Warnings: where each stands, and every version of it, which never changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events.warnings import WarningSnapshot
from schemas.vocabulary import WarningState
from services.notify.tables import warning, warning_version
from services.runtime.database import insert_into


@dataclass(frozen=True, slots=True)
class WarningRow:
    """The head of a warning. ``in_force`` is the version whose words hold now."""

    warning_id: str
    incident_id: str
    number: int
    version: int
    state: WarningState
    in_force_version: int | None
    valid_until: datetime | None
    verify_code: str
    exercise_id: str | None


async def newest_of(conn: AsyncConnection, municipality: str, incident_id: str) -> WarningRow | None:
    """Return the incident's last warning, locked where rows can be."""
    w = warning.c
    wanted = (
        sa.select(warning)
        .where(w.municipality == municipality, w.incident_id == incident_id)
        .order_by(w.number.desc())
        .limit(1)
        .with_for_update()
    )
    row = (await conn.execute(wanted)).mappings().first()
    return _row(row) if row else None


async def find(conn: AsyncConnection, municipality: str, warning_id: str) -> WarningRow | None:
    w = warning.c
    wanted = sa.select(warning).where(w.municipality == municipality, w.warning_id == warning_id)
    row = (await conn.execute(wanted.with_for_update())).mappings().first()
    return _row(row) if row else None


async def by_verify_code(conn: AsyncConnection, municipality: str, code: str) -> WarningRow | None:
    """Return the warning in force under this code."""
    w = warning.c
    wanted = sa.select(warning).where(
        w.municipality == municipality, w.verify_code == code, w.state == WarningState.AUTHORISED.value
    )
    row = (await conn.execute(wanted.limit(1))).mappings().first()
    return _row(row) if row else None


async def keep(
    conn: AsyncConnection,
    municipality: str,
    snapshot: WarningSnapshot,
    *,
    event_type: str,
    number: int,
    state: WarningState,
    in_force_version: int | None,
    exercise_id: str | None,
    at: datetime,
) -> None:
    """Add a version and move the head to it."""
    head = {
        "version": snapshot.version,
        "state": state.value,
        "level": int(snapshot.level),
        "in_force_version": in_force_version,
        "ledger": snapshot.ledger.model_dump(mode="json", exclude_none=True),
        "updated_at": at,
    }
    if in_force_version == snapshot.version or in_force_version is None:
        head["valid_until"] = snapshot.valid_until
    first = {
        "municipality": municipality,
        "warning_id": snapshot.warning_id,
        "incident_id": snapshot.incident_id,
        "number": number,
        "verify_code": snapshot.verify_code,
        "exercise_id": exercise_id,
    }
    keys = ["municipality", "warning_id"]
    insert = insert_into(conn, warning).values({**first, **head})
    await conn.execute(insert.on_conflict_do_update(index_elements=keys, set_=head))
    row = {
        "municipality": municipality,
        "warning_id": snapshot.warning_id,
        "version": snapshot.version,
        "event_type": event_type,
        "content_hash": snapshot.content_hash,
        "snapshot": snapshot.model_dump(mode="json"),
        "at": at,
    }
    await conn.execute(insert_into(conn, warning_version).values(row))


async def set_state(
    conn: AsyncConnection, municipality: str, warning_id: str, state: WarningState, at: datetime
) -> None:
    """Move the head without a new version: rejected, made void."""
    w = warning.c
    mine = (w.municipality == municipality) & (w.warning_id == warning_id)
    await conn.execute(sa.update(warning).where(mine).values(state=state.value, updated_at=at))


async def version_of(
    conn: AsyncConnection, municipality: str, warning_id: str, version: int
) -> WarningSnapshot | None:
    v = warning_version.c
    wanted = sa.select(v.snapshot).where(
        v.municipality == municipality, v.warning_id == warning_id, v.version == version
    )
    found = (await conn.execute(wanted)).scalar_one_or_none()
    return WarningSnapshot.model_validate(found) if found is not None else None


def _row(row: sa.RowMapping) -> WarningRow:
    return WarningRow(
        warning_id=row["warning_id"],
        incident_id=row["incident_id"],
        number=row["number"],
        version=row["version"],
        state=WarningState(row["state"]),
        in_force_version=row["in_force_version"],
        valid_until=row["valid_until"],
        verify_code=row["verify_code"],
        exercise_id=row["exercise_id"],
    )
