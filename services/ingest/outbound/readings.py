"""Accepted readings and the series they form. Every call belongs to one town and one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.domain.series import Numbered, Series
from services.ingest.outbound.tables import READING, SERIES
from services.runtime.bulk import insert_rows, moment_of
from services.runtime.database import insert_into

_CHUNK: Final = 500
_COLUMNS: Final = (
    "municipality",
    "identity",
    "value",
    "n",
    "sensor_id",
    "property",
    "unit",
    "observed_at",
    "received_at",
    "quality",
    "correction",
    "sequence",
    "event_id",
    "stored_at",
)
_MOVED: Final = (
    sa.update(SERIES)
    .where(SERIES.c.municipality == sa.bindparam("of_town"), SERIES.c.sensor_id == sa.bindparam("of_sensor"))
    .values(
        last_n=sa.bindparam("new_n"),
        fingerprint=sa.bindparam("new_fingerprint"),
        observed_at=sa.bindparam("new_observed_at"),
        received_at=sa.bindparam("new_received_at"),
    )
)


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
    columns = (SERIES.c.sensor_id, SERIES.c.last_n, SERIES.c.fingerprint, SERIES.c.observed_at)
    of_town = sa.select(*columns).where(SERIES.c.municipality == municipality)
    for chunk in _chunks(wanted):
        rows = of_town.where(SERIES.c.sensor_id.in_(chunk)).order_by(SERIES.c.sensor_id).with_for_update()
        for sensor_id, last_n, fingerprint, newest in await conn.execute(rows):
            found[sensor_id] = Series(last_n, fingerprint, newest)
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
    *,
    received_at: datetime,
    stored_at: datetime,
) -> None:
    """Store readings, to recognise them when they come again."""
    moment = moment_of(conn)
    received, stored = moment(received_at.astimezone(UTC)), moment(stored_at.astimezone(UTC))
    await insert_rows(
        conn,
        READING,
        _COLUMNS,
        [
            (
                municipality,
                identity,
                reading.value,
                n,
                reading.sensor_id,
                reading.measured.value,
                reading.unit,
                moment(reading.observed_at),
                received,
                reading.quality.value,
                correction,
                reading.sequence,
                reading.event_id,
                stored,
            )
            for n, reading, correction, identity in new
        ],
    )


async def put_series(
    conn: AsyncConnection,
    municipality: str,
    series: Mapping[str, Series],
    sensor_ids: Sequence[str],
    at: datetime,
) -> None:
    """Move the series of these sensors on."""
    rows = [
        {
            "of_town": municipality,
            "of_sensor": sensor_id,
            "new_n": series[sensor_id].last_n,
            "new_fingerprint": series[sensor_id].fingerprint,
            "new_observed_at": series[sensor_id].newest,
            "new_received_at": at,
        }
        for sensor_id in sorted(sensor_ids)
    ]
    await conn.execute(_MOVED, rows)


def _first(municipality: str, sensor_id: str) -> dict[str, Any]:
    return {"municipality": municipality, "sensor_id": sensor_id, "last_n": 0, "fingerprint": ""}


def _chunks(items: Sequence[str]) -> list[Sequence[str]]:
    return [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]
