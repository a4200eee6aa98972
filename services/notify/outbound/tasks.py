"""Tasks of brigades and technicians: one per incident, kind and thing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events.tasks import TaskSnapshot
from schemas.vocabulary import TaskKind, TaskState
from services.notify.tables import task
from services.runtime.database import insert_into


async def add(
    conn: AsyncConnection, municipality: str, new: TaskSnapshot, subject: str, at: datetime
) -> bool:
    """Keep a task; say whether there was none yet about this."""
    row = {
        "municipality": municipality,
        "task_id": new.task_id,
        "version": new.version,
        "incident_id": new.incident_id,
        "kind": new.kind.value,
        "subject": subject,
        "state": new.state.value,
        "snapshot": new.model_dump(mode="json"),
        "at": at,
    }
    insert = insert_into(conn, task).values(row).on_conflict_do_nothing()
    return (await conn.execute(insert)).rowcount == 1


async def find(conn: AsyncConnection, municipality: str, task_id: str) -> TaskSnapshot | None:
    t = task.c
    wanted = sa.select(t.snapshot).where(t.municipality == municipality, t.task_id == task_id)
    found = (await conn.execute(wanted.with_for_update())).scalar_one_or_none()
    return TaskSnapshot.model_validate(found) if found is not None else None


LIVE = frozenset({TaskState.ASSIGNED, TaskState.ACCEPTED, TaskState.ON_SCENE})


async def open_of(
    conn: AsyncConnection, municipality: str, incident_id: str, kind: TaskKind | None = None
) -> list[TaskSnapshot]:
    """Return what is not over, of one kind or of every kind but the order to come out."""
    t = task.c
    is_kind = t.kind == kind.value if kind else t.kind != TaskKind.WITHDRAW.value
    return await _of(conn, municipality, incident_id, t.state.in_([state.value for state in LIVE]), is_kind)


async def all_of(conn: AsyncConnection, municipality: str, incident_id: str) -> list[TaskSnapshot]:
    return await _of(conn, municipality, incident_id)


async def _of(
    conn: AsyncConnection, municipality: str, incident_id: str, *where: sa.ColumnElement[bool]
) -> list[TaskSnapshot]:
    t = task.c
    wanted = (
        sa.select(t.snapshot)
        .where(t.municipality == municipality, t.incident_id == incident_id, *where)
        .order_by(t.task_id)
        .with_for_update()
    )
    return [TaskSnapshot.model_validate(found) for (found,) in await conn.execute(wanted)]


async def save(conn: AsyncConnection, municipality: str, changed: TaskSnapshot) -> None:
    t = task.c
    mine = (t.municipality == municipality) & (t.task_id == changed.task_id)
    new: dict[str, Any] = {"version": changed.version, "state": changed.state.value, "at": changed.at}
    new |= {"snapshot": changed.model_dump(mode="json")}
    await conn.execute(sa.update(task).where(mine).values(new))
