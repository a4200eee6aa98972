"""Old readings become hours: how many, least, mean and most; then the readings themselves go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import Quality
from services.ingest.domain.normalise import identity_of, identity_of_event
from services.ingest.outbound import packs, recognition
from services.ingest.outbound.packs import Measured
from services.ingest.outbound.tables import PACK, READING_HOUR
from services.runtime.database import Database, insert_into

_KEY: Final = ("municipality", "sensor_id", "property", "unit", "hour")


async def condense(db: Database, before: datetime, limit: int) -> int:
    """Forget packs stored before that moment, together of so many readings, their hours kept.

    Return how many readings that were. What no broker has confirmed stays.
    """
    async with db.transaction() as conn:
        # Numbers rise with the machine's clock, so only the lowest are looked at, never the whole table.
        lowest = PACK.c.id.in_(sa.select(PACK.c.id).order_by(PACK.c.id).limit(limit).scalar_subquery())
        old = (lowest, PACK.c.stored_at < before, sa.not_(PACK.c.waits))
        found = await packs.kept(conn, *old, readings_most=limit)
        of_town: dict[str, list[Measured]] = {}
        for pack in found:
            of_town.setdefault(pack.municipality, []).extend(pack.readings)
        for town, readings in sorted(of_town.items()):
            await _condense(conn, town, readings)
        await packs.forget(conn, [pack.id for pack in found])
    return sum(len(pack.readings) for pack in found)


async def _condense(conn: AsyncConnection, town: str, readings: list[Measured]) -> None:
    numbers: dict[str, int] = {}
    newest: dict[str, datetime] = {}
    for each in readings:
        identity, sensor_id = _identity(each), each.sensor_id
        numbers[identity] = max(each.n, numbers.get(identity, 0))
        newest[sensor_id] = max(each.observed_at, newest.get(sensor_id, each.observed_at))
    corrected = await recognition.corrected(conn, town, numbers)
    good = [
        each
        for each in readings
        if each.quality == Quality.GOOD.value
        and numbers[identity := _identity(each)] == each.n
        and identity not in corrected
    ]
    for key, values in sorted(_by_hour(good).items()):
        await _put(conn, {"municipality": town, **dict(zip(_KEY[1:], key, strict=True))}, values)
    await recognition.forget(conn, town, numbers, newest)


def _by_hour(readings: Iterable[Measured]) -> Mapping[tuple[Any, ...], list[float]]:
    """Return the values of each hour; what was doubted or corrected makes no mean."""
    hours: dict[tuple[Any, ...], list[float]] = {}
    for each in readings:
        hour = each.observed_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        hours.setdefault((each.sensor_id, each.property, each.unit, hour), []).append(each.value)
    return hours


def _identity(each: Measured) -> str:
    if each.event_id is msgspec.UNSET:
        return identity_of(each.sensor_id, each.property, each.observed_at)
    return identity_of_event(each.sensor_id, each.event_id)


async def _put(conn: AsyncConnection, key: dict[str, Any], values: list[float]) -> None:
    t = READING_HOUR.c
    least, most = min(values), max(values)
    new = {"count": len(values), "total": sum(values), "least": least, "most": most}
    statement = insert_into(conn, READING_HOUR).values(**key, **new)
    both = {
        "count": t.count + new["count"],
        "total": t.total + new["total"],
        "least": sa.case((t.least > least, least), else_=t.least),
        "most": sa.case((t.most < most, most), else_=t.most),
    }
    await conn.execute(statement.on_conflict_do_update(index_elements=list(_KEY), set_=both))
