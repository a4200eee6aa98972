"""What people reported, as far as their public status needs it, and how their incidents stand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events.incidents import IncidentSnapshot
from schemas.events.reports import ReportJudged
from schemas.vocabulary import IncidentState
from services.ingest.domain.status import Report
from services.ingest.outbound.tables import INCIDENT, REPORT
from services.runtime.database import insert_into


@dataclass(frozen=True, slots=True)
class Row:
    """A report as it was taken in. ``identity``: hash of its source and idempotency key."""

    report_id: str
    identity: str
    fingerprint: str
    category: str
    zone: str | None
    channel: str
    reported_at: datetime
    received_at: datetime


async def add(conn: AsyncConnection, municipality: str, row: Row, stored_at: datetime) -> bool:
    """Keep a report; say whether none was kept under the same identity before."""
    values = {
        "municipality": municipality,
        "report_id": row.report_id,
        "identity": row.identity,
        "fingerprint": row.fingerprint,
        "category": row.category,
        "zone": row.zone,
        "channel": row.channel,
        "reported_at": row.reported_at,
        "received_at": row.received_at,
        "stored_at": stored_at,
    }
    done = await conn.execute(insert_into(conn, REPORT).values(values).on_conflict_do_nothing())
    return done.rowcount == 1


async def same(conn: AsyncConnection, municipality: str, identity: str) -> Row | None:
    """Return the report that was kept under this identity."""
    t = REPORT
    wanted = sa.select(t).where(t.c.municipality == municipality, t.c.identity == identity)
    found = (await conn.execute(wanted)).mappings().first()
    return None if found is None else Row(**{name: found[name] for name in Row.__slots__})


async def find(conn: AsyncConnection, municipality: str, report_id: str) -> Report | None:
    """Return a report and how its incident stands, as the public may know it."""
    r, i = REPORT, INCIDENT
    joined = r.outerjoin(i, (r.c.municipality == i.c.municipality) & (r.c.incident_id == i.c.incident_id))
    wanted = (
        sa.select(r, i.c.state, i.c.changed_at)
        .select_from(joined)
        .where(r.c.municipality == municipality, r.c.report_id == report_id)
    )
    row = (await conn.execute(wanted)).mappings().first()
    if row is None:
        return None
    is_closed = row["state"] == IncidentState.CLOSED.value
    return Report(
        report_id=row["report_id"],
        category=row["category"],
        zone=row["zone"],
        reported_at=row["reported_at"],
        received_at=row["received_at"],
        verdict=row["verdict"],
        judged_at=row["judged_at"],
        closed_at=row["changed_at"] if is_closed else None,
    )


async def put_verdict(conn: AsyncConnection, municipality: str, event: ReportJudged) -> bool:
    """Note what a report came to; say whether the report is known here."""
    t = REPORT
    these = (t.c.municipality == municipality) & (t.c.report_id == event.report_id)
    new = {
        "verdict": event.verdict.value,
        "judged_at": event.judged_at,
        "incident_id": event.incident_id,
        "zone": sa.func.coalesce(t.c.zone, event.zone),
    }
    return (await conn.execute(sa.update(t).where(these).values(new))).rowcount == 1


async def put_incident(
    conn: AsyncConnection, municipality: str, snapshot: IncidentSnapshot, stored_at: datetime
) -> None:
    """Note how an incident stands; an older version than the one held changes nothing."""
    now = {
        "version": snapshot.version,
        "state": snapshot.state.value,
        "changed_at": snapshot.classified_at,
        "stored_at": stored_at,
    }
    row = {"municipality": municipality, "incident_id": snapshot.incident_id, **now}
    upsert = insert_into(conn, INCIDENT).values(row)
    keys = ["municipality", "incident_id"]
    await conn.execute(
        upsert.on_conflict_do_update(
            index_elements=keys, set_=now, where=INCIDENT.c.version < snapshot.version
        )
    )
