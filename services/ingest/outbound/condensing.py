"""Old readings become hours: how many, least, mean and most; then the readings themselves go."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import Quality
from services.ingest.outbound.tables import READING, READING_HOUR
from services.runtime.database import Database, insert_into

_KEY: Final = ("municipality", "sensor_id", "property", "unit", "hour")
_LOOKED_AT: Final = ("id", "municipality", "sensor_id", "property", "unit", "observed_at", "value", "quality")


async def condense(db: Database, before: datetime, limit: int) -> int:
    """Forget at most so many readings stored before that moment, their hours kept; return how many."""
    async with db.transaction() as conn:
        rows = await _oldest(conn, before, limit)
        if rows:
            await _add_up(conn, rows)
            await conn.execute(sa.delete(READING).where(READING.c.id.in_([row["id"] for row in rows])))
    return len(rows)


async def _oldest(conn: AsyncConnection, before: datetime, limit: int) -> list[sa.RowMapping]:
    """Return old readings, each with whether a correction stands for it.

    Numbers rise with the machine's clock, so only the lowest are looked at, never the whole table.
    """
    t, later = READING, READING.alias("later")
    same = (later.c.municipality == t.c.municipality) & (later.c.identity == t.c.identity)
    is_corrected = sa.exists().where(same, later.c.n > t.c.n).label("is_corrected")
    lowest = sa.select(t.c.id).order_by(t.c.id).limit(limit).scalar_subquery()
    wanted = sa.select(*(t.c[name] for name in _LOOKED_AT), is_corrected)
    wanted = wanted.where(t.c.id.in_(lowest), t.c.stored_at < before).order_by(t.c.id)
    return list((await conn.execute(wanted)).mappings())


async def _add_up(conn: AsyncConnection, rows: list[sa.RowMapping]) -> None:
    """Add the good readings that were not corrected to their hours; what was doubted makes no mean."""
    hours: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        if row["quality"] == Quality.GOOD.value and not row["is_corrected"]:
            hour = row["observed_at"].astimezone(UTC).replace(minute=0, second=0, microsecond=0)
            key = (row["municipality"], row["sensor_id"], row["property"], row["unit"], hour)
            hours.setdefault(key, []).append(row["value"])
    for key, values in sorted(hours.items()):
        await _put(conn, dict(zip(_KEY, key, strict=True)), values)


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
