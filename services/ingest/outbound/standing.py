"""Where each sensor's accepted series stands. Every call belongs to one town and one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.domain.series import Series
from services.ingest.outbound.tables import SERIES
from services.runtime.bulk import moment_of, update_rows
from services.runtime.database import insert_into

_CHUNK: Final = 500
_KEY: Final = ("municipality", "sensor_id")
_MOVED: Final = ("last_n", "fingerprint", "observed_at", "received_at")


async def lock(conn: AsyncConnection, municipality: str, sensor_ids: Iterable[str]) -> dict[str, Series]:
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
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        rows = of_town.where(SERIES.c.sensor_id.in_(chunk)).order_by(SERIES.c.sensor_id).with_for_update()
        for sensor_id, last_n, fingerprint, newest in await conn.execute(rows):
            found[sensor_id] = Series(last_n, fingerprint, newest)
    return found


async def put(conn: AsyncConnection, municipality: str, moved: Mapping[str, Series], at: datetime) -> None:
    """Move these sensors' series on."""
    moment = moment_of(conn)
    received = moment(at.astimezone(UTC))
    rows = [
        (
            each.last_n,
            each.fingerprint,
            each.newest and moment(each.newest),
            received,
            municipality,
            sensor_id,
        )
        for sensor_id, each in sorted(moved.items())
    ]
    await update_rows(conn, SERIES, _MOVED, _KEY, rows)


def _first(municipality: str, sensor_id: str) -> dict[str, Any]:
    return {"municipality": municipality, "sensor_id": sensor_id, "last_n": 0, "fingerprint": ""}
