"""What triage last said of each incident, and what people inside were told of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events.base import Reason
from schemas.events.incidents import IncidentSnapshot
from schemas.vocabulary import Level
from services.notify.domain.plan import Told
from services.notify.tables import incident
from services.runtime.database import insert_into


@dataclass(frozen=True, slots=True)
class HeldIncident:
    snapshot: IncidentSnapshot
    told: Told
    exercise_id: str | None
    correlation_id: str | None


async def find(conn: AsyncConnection, municipality: str, incident_id: str) -> HeldIncident | None:
    """Return the incident, its row locked where rows can be: what follows decides on it."""
    i = incident.c
    wanted = sa.select(incident).where(i.municipality == municipality, i.incident_id == incident_id)
    row = (await conn.execute(wanted.with_for_update())).mappings().first()
    if row is None:
        return None
    told = Told(Level(row["told"]["level"]), tuple(row["told"]["zones"]))
    snapshot = IncidentSnapshot.model_validate(row["snapshot"])
    return HeldIncident(snapshot, told, row["exercise_id"], row["correlation_id"])


async def lock(conn: AsyncConnection, municipality: str, incident_ids: Collection[str]) -> None:
    """Lock several where rows can be, in one order: two that wait for each other end in neither."""
    i = incident.c
    wanted = sa.select(i.incident_id).where(i.municipality == municipality, i.incident_id.in_(incident_ids))
    await conn.execute(wanted.order_by(i.incident_id).with_for_update())


async def of(conn: AsyncConnection, municipality: str, key: sa.Column[str], subject: str) -> str | None:
    """Return which incident a row is about, locking nothing: the incident is to be locked first.

    Args:
        conn: An open transaction.
        municipality: The town.
        key: The row's id, of a table that names its incident.
        subject: The id sought.
    """
    row = key.table.c
    wanted = sa.select(row.incident_id).where(row.municipality == municipality, key == subject)
    found: str | None = (await conn.execute(wanted)).scalar_one_or_none()
    return found


async def keep(
    conn: AsyncConnection,
    municipality: str,
    snapshot: IncidentSnapshot,
    told: Told,
    *,
    reasons: Sequence[Reason],
    exercise_id: str | None,
    correlation_id: str | None,
    at: datetime,
) -> bool:
    """Keep this version unless a newer one is held; say whether it was kept."""
    row = {
        "municipality": municipality,
        "incident_id": snapshot.incident_id,
        "version": snapshot.version,
        "kind": snapshot.kind.value,
        "hazard": snapshot.hazard.value,
        "state": snapshot.state.value,
        "level": int(snapshot.level),
        "snapshot": snapshot.model_dump(mode="json"),
        "told": {"level": int(told.level), "zones": list(told.zones)},
        "plan_reasons": [reason.model_dump() for reason in reasons],
        "exercise_id": exercise_id,
        "correlation_id": correlation_id,
        "held_at": at,
    }
    insert = insert_into(conn, incident).values(row)
    new = {name: value for name, value in row.items() if name not in {"municipality", "incident_id"}}
    keys = ["municipality", "incident_id"]
    upsert = insert.on_conflict_do_update(
        index_elements=keys, set_=new, where=incident.c.version <= snapshot.version
    )
    return (await conn.execute(upsert)).rowcount == 1
