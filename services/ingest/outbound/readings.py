"""Accepted readings and the series they form. Every call belongs to one town and one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.topics import partition_of
from services.ingest.domain.normalise import Reading
from services.ingest.domain.sensors import KnownSensor
from services.ingest.domain.series import Numbered, Series
from services.ingest.outbound.tables import READING, SERIES
from services.runtime.database import insert_into

_CHUNK: Final = 500


async def lock_series(
    conn: AsyncConnection, municipality: str, sensor_ids: Sequence[str]
) -> dict[str, Series]:
    """Return where the sensors' series stand, held until the end of the transaction.

    Locks are taken in the order of the ids, so that two replicas never wait for each other.
    """
    wanted = sorted(set(sensor_ids))
    found = await _locked(conn, municipality, wanted)
    missing = [sensor_id for sensor_id in wanted if sensor_id not in found]
    if missing:
        rows = [_first(municipality, sensor_id) for sensor_id in missing]
        await conn.execute(insert_into(conn, SERIES).on_conflict_do_nothing(), rows)
        found |= await _locked(conn, municipality, missing)
    return found


async def _locked(conn: AsyncConnection, municipality: str, wanted: Sequence[str]) -> dict[str, Series]:
    found: dict[str, Series] = {}
    columns = (SERIES.c.sensor_id, SERIES.c.last_n, SERIES.c.fingerprint)
    of_town = sa.select(*columns).where(SERIES.c.municipality == municipality)
    for chunk in _chunks(wanted):
        rows = of_town.where(SERIES.c.sensor_id.in_(chunk)).order_by(SERIES.c.sensor_id).with_for_update()
        for sensor_id, last_n, fingerprint in await conn.execute(rows):
            found[sensor_id] = Series(last_n, fingerprint)
    return found


async def values_of(
    conn: AsyncConnection, municipality: str, identities: Sequence[str]
) -> dict[str, frozenset[float]]:
    """Return the values already accepted under each identity."""
    found: dict[str, frozenset[float]] = {}
    of_town = sa.select(READING.c.identity, READING.c.value).where(READING.c.municipality == municipality)
    for chunk in _chunks(identities):
        for identity, value in await conn.execute(of_town.where(READING.c.identity.in_(chunk))):
            found[identity] = found.get(identity, frozenset()) | {value}
    return found


async def add(
    conn: AsyncConnection,
    municipality: str,
    new: Sequence[Numbered],
    sensors: Mapping[str, KnownSensor],
    *,
    received_at: datetime,
    stored_at: datetime,
) -> None:
    """Store readings and leave them for the relay."""
    rows = [
        {
            "municipality": municipality,
            "n": each.n,
            "correction": each.correction,
            "partition": partition_of(municipality, sensors[each.reading.sensor_id].site),
            "received_at": received_at,
            "stored_at": stored_at,
            **_columns(each.reading),
        }
        for each in new
    ]
    await conn.execute(sa.insert(READING), rows)


async def put_series(
    conn: AsyncConnection,
    municipality: str,
    series: Mapping[str, Series],
    new: Sequence[Numbered],
    at: datetime,
) -> None:
    """Move the series of the sensors that got new readings on."""
    newest: dict[str, datetime] = {}
    for each in new:
        before = newest.get(each.reading.sensor_id, each.reading.observed_at)
        newest[each.reading.sensor_id] = max(before, each.reading.observed_at)
    rows = [
        {
            "of_town": municipality,
            "of_sensor": sensor_id,
            "new_n": series[sensor_id].last_n,
            "new_fingerprint": series[sensor_id].fingerprint,
            "new_observed_at": observed_at,
        }
        for sensor_id, observed_at in sorted(newest.items())
    ]
    same = (SERIES.c.municipality == sa.bindparam("of_town")) & (
        SERIES.c.sensor_id == sa.bindparam("of_sensor")
    )
    moved = (
        sa.update(SERIES)
        .where(same)
        .values(
            last_n=sa.bindparam("new_n"),
            fingerprint=sa.bindparam("new_fingerprint"),
            observed_at=_later(sa.bindparam("new_observed_at", type_=SERIES.c.observed_at.type)),
            received_at=at,
        )
    )
    await conn.execute(moved, rows)


async def prune(conn: AsyncConnection, before: datetime, limit: int) -> int:
    """Forget published readings stored before that moment, a bounded number; return how many."""
    old = (
        sa.select(READING.c.id)
        .where(READING.c.published_at.is_not(None), READING.c.stored_at < before)
        .order_by(READING.c.id)
        .limit(limit)
    )
    return (await conn.execute(sa.delete(READING).where(READING.c.id.in_(old)))).rowcount


def _later(moment: sa.BindParameter[Any]) -> sa.ColumnElement[Any]:
    stored = SERIES.c.observed_at
    return sa.case((stored > moment, stored), else_=moment)


def _first(municipality: str, sensor_id: str) -> dict[str, Any]:
    return {"municipality": municipality, "sensor_id": sensor_id, "last_n": 0, "fingerprint": ""}


def _columns(reading: Reading) -> dict[str, Any]:
    return {
        "identity": reading.identity,
        "value": reading.value,
        "sensor_id": reading.sensor_id,
        "property": reading.measured.value,
        "unit": reading.unit,
        "observed_at": reading.observed_at,
        "quality": reading.quality.value,
        "sequence": reading.sequence,
        "event_id": reading.event_id,
    }


def _chunks(items: Sequence[str]) -> list[Sequence[str]]:
    return [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]
