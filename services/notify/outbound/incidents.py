"""What triage last said of each incident, and what people inside were told of it."""

from __future__ import annotations

from collections.abc import Sequence
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
