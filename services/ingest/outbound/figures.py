"""Counts and ages for people and for the oracle of losses; reading only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.domain.sensors import Catalogue, KnownSensor
from services.ingest.outbound import packs
from services.ingest.outbound.tables import SERIES

SILENT_AFTER_PERIODS: Final = 3


async def accepted(conn: AsyncConnection, municipality: str | None) -> list[dict[str, Any]]:
    """Return count and hash per sensor; of one town, or of all for the administrator."""
    t = SERIES
    wanted = sa.select(t).where(t.c.last_n > 0).order_by(t.c.municipality, t.c.sensor_id)
    if municipality is not None:
        wanted = wanted.where(t.c.municipality == municipality)
    return [
        {
            "municipality": row["municipality"],
            "sensor_id": row["sensor_id"],
            "count": row["last_n"],
            "fingerprint": row["fingerprint"],
        }
        for row in (await conn.execute(wanted)).mappings()
    ]


async def silence(conn: AsyncConnection, catalogue: Catalogue, now: datetime) -> list[dict[str, Any]]:
    """Return the age of the newest reading of every listed sensor; one that never spoke is silent too."""
    columns = (SERIES.c.municipality, SERIES.c.sensor_id, SERIES.c.observed_at, SERIES.c.received_at)
    heard = {(row[0], row[1]): (row[2], row[3]) for row in await conn.execute(sa.select(*columns))}
    return [
        _line(town, sensor, *heard.get((town, sensor.sensor_id), (None, None)), now)
        for town, listed in sorted(catalogue.towns.items())
        for sensor in sorted(listed.values(), key=lambda each: each.sensor_id)
    ]


async def oldest_reading_s(conn: AsyncConnection) -> float | None:
    """Return for how many real seconds the oldest unpublished reading has waited."""
    since = await packs.oldest(conn)
    return None if since is None else max(0.0, (datetime.now(UTC) - since).total_seconds())


def _line(
    town: str,
    sensor: KnownSensor,
    observed_at: datetime | None,
    received_at: datetime | None,
    now: datetime,
) -> dict[str, Any]:
    age_s = None if observed_at is None else (now - observed_at).total_seconds()
    most_s = SILENT_AFTER_PERIODS * (sensor.expected_every_s or float("inf"))
    return {
        "municipality": town,
        "sensor_id": sensor.sensor_id,
        "site": sensor.site,
        "network": sensor.network,
        "observed_at": observed_at.isoformat() if observed_at else None,
        "received_at": received_at.isoformat() if received_at else None,
        "age_s": age_s,
        "expected_every_s": sensor.expected_every_s,
        "is_silent": age_s is None or age_s > most_s,
    }
