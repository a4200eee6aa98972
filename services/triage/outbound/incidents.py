"""Incidents as they were published: the present one and every version."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events.incidents import IncidentSnapshot
from services.runtime.database import insert_into
from services.triage.tables import incident, incident_version


class IncidentStore:
    """The tables ``incident`` and ``incident_version``."""

    async def save(
        self, conn: AsyncConnection, municipality: str, versions: Sequence[tuple[IncidentSnapshot, bytes]]
    ) -> None:
        """Keep new versions, each with its JSON, in the order in which they were decided."""
        if not versions:
            return
        await conn.execute(sa.insert(incident_version), [_version(municipality, *each) for each in versions])
        insert = insert_into(conn, incident)
        latest = {snapshot.incident_id: snapshot for snapshot, _ in versions}
        await conn.execute(
            insert.on_conflict_do_update(
                index_elements=[incident.c.municipality, incident.c.incident_id],
                set_={name: insert.excluded[name] for name in ("state", "level", "version")},
            ),
            [_present(municipality, snapshot) for snapshot in latest.values()],
        )

    async def exists(self, conn: AsyncConnection, municipality: str, incident_id: str) -> bool:
        wanted = sa.select(incident.c.incident_id).where(
            incident.c.municipality == municipality, incident.c.incident_id == incident_id
        )
        return (await conn.execute(wanted)).first() is not None

    async def versions(
        self, conn: AsyncConnection, municipality: str, incident_id: str
    ) -> Sequence[IncidentSnapshot]:
        """Return every version, oldest first."""
        wanted = (
            sa.select(incident_version.c.snapshot)
            .where(
                incident_version.c.municipality == municipality,
                incident_version.c.incident_id == incident_id,
            )
            .order_by(incident_version.c.version)
        )
        return [IncidentSnapshot.model_validate_json(raw) for raw in (await conn.execute(wanted)).scalars()]

    async def list(
        self,
        conn: AsyncConnection,
        municipality: str,
        *,
        state: str | None = None,
        after: tuple[datetime, str] | None = None,
        limit: int = 100,
    ) -> Sequence[IncidentSnapshot]:
        """Return the present version of incidents, oldest first, from behind ``(opened_at, id)``."""
        i, v = incident, incident_version
        same = (
            (i.c.municipality == v.c.municipality)
            & (i.c.incident_id == v.c.incident_id)
            & (i.c.version == v.c.version)
        )
        wanted = (
            sa.select(v.c.snapshot)
            .select_from(i.join(v, same))
            .where(i.c.municipality == municipality)
            .order_by(i.c.opened_at, i.c.incident_id)
            .limit(limit)
        )
        if state is not None:
            wanted = wanted.where(i.c.state == state)
        if after is not None:
            behind = (i.c.opened_at > after[0]) | ((i.c.opened_at == after[0]) & (i.c.incident_id > after[1]))
            wanted = wanted.where(behind)
        return [IncidentSnapshot.model_validate_json(raw) for raw in (await conn.execute(wanted)).scalars()]

    async def count_open(self, conn: AsyncConnection, municipality: str) -> int:
        wanted = (
            sa.select(sa.func.count())
            .select_from(incident)
            .where(incident.c.municipality == municipality, incident.c.state == "open")
        )
        return int((await conn.execute(wanted)).scalar_one())


def _version(municipality: str, snapshot: IncidentSnapshot, value: bytes) -> dict[str, Any]:
    return {
        "municipality": municipality,
        "incident_id": snapshot.incident_id,
        "version": snapshot.version,
        "at": snapshot.classified_at,
        "snapshot": value,
    }


def _present(municipality: str, snapshot: IncidentSnapshot) -> dict[str, Any]:
    return {
        "municipality": municipality,
        "incident_id": snapshot.incident_id,
        "kind": snapshot.kind.value,
        "opened_at": snapshot.opened_at,
        "state": snapshot.state.value,
        "level": int(snapshot.level),
        "version": snapshot.version,
    }
