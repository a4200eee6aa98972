"""Accepted readings on their way to the topic: packed in the accepting transaction, gone once confirmed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.topics import partition_of
from services.ingest.domain.packing import Waiting, pack
from services.ingest.domain.sensors import KnownSensor
from services.ingest.domain.series import Numbered
from services.ingest.outbound.tables import PACKED
from services.runtime.bulk import insert_rows, moment_of

_COLUMNS: Final = ("municipality", "partition", "count", "body", "stored_at")


class _Measured(msgspec.Struct, gc=False):
    """A ``Measurement`` as it travels; a contract test holds it to the schema."""

    n: int
    sensor_id: str
    property: str
    value: float
    unit: str
    observed_at: datetime
    received_at: datetime
    quality: str
    correction: bool
    sequence: int | msgspec.UnsetType = msgspec.UNSET
    event_id: str | msgspec.UnsetType = msgspec.UNSET


_encode: Final = msgspec.json.Encoder().encode


async def add(
    conn: AsyncConnection,
    municipality: str,
    new: Sequence[Numbered],
    sensors: Mapping[str, KnownSensor],
    *,
    received_at: datetime,
    stored_at: datetime,
) -> None:
    """Leave readings for the relay, as few rows as order allows."""
    received = received_at.astimezone(UTC)
    partitions = {each.sensor_id: partition_of(municipality, each.site) for each in sensors.values()}
    waiting = [
        Waiting(number, municipality, partitions[each.reading.sensor_id], _measured(each, received))
        for number, each in enumerate(new)
    ]
    stored = moment_of(conn)(stored_at.astimezone(UTC))
    rows = [
        (
            municipality,
            each.partition,
            len(each.rows),
            _listed([row.measurement for row in each.rows]),
            stored,
        )
        for each in pack(waiting)
    ]
    await insert_rows(conn, PACKED, _COLUMNS, rows)


async def waiting(
    conn: AsyncConnection, readings_most: int, rows_most: int, closed: Sequence[int]
) -> list[Waiting]:
    """Return what waits for publication, oldest first, up to about ``readings_most`` readings."""
    t = PACKED.c
    head = sa.select(t.id, t.count).order_by(t.id).limit(rows_most)
    if closed:
        head = head.where(t.partition.not_in(closed))
    last_id, room = 0, readings_most
    for row_id, count in await conn.execute(head):
        last_id, room = row_id, room - count
        if room <= 0:
            break
    if not last_id:
        return []
    wanted = (
        sa.select(t.id, t.municipality, t.partition, t.body, t.count).where(t.id <= last_id).order_by(t.id)
    )
    if closed:
        wanted = wanted.where(t.partition.not_in(closed))
    return [Waiting(*row) for row in await conn.execute(wanted)]


async def forget(conn: AsyncConnection, ids: Sequence[int]) -> None:
    """Let go of what was confirmed."""
    await conn.execute(sa.delete(PACKED).where(PACKED.c.id.in_(ids)))


async def count(conn: AsyncConnection) -> int:
    """Return how many readings wait."""
    total = sa.select(sa.func.coalesce(sa.func.sum(PACKED.c.count), 0))
    return int((await conn.execute(total)).scalar_one())


async def oldest(conn: AsyncConnection) -> datetime | None:
    """Return when the reading that waits longest was stored, by the machine's clock."""
    first: datetime | None = (await conn.execute(sa.select(sa.func.min(PACKED.c.stored_at)))).scalar_one()
    return first


def record_of(bodies: Sequence[bytes]) -> bytes:
    """Return the value of the one record that carries these rows."""
    return b'{"readings":[' + b",".join(bodies) + b"]}"


def _measured(each: Numbered, received_at: datetime) -> _Measured:
    reading = each.reading
    return _Measured(
        each.n,
        reading.sensor_id,
        reading.measured,
        reading.value,
        reading.unit,
        reading.observed_at,
        received_at,
        reading.quality,
        each.correction,
        msgspec.UNSET if reading.sequence is None else reading.sequence,
        msgspec.UNSET if reading.event_id is None else reading.event_id,
    )


def _listed(measured: Sequence[_Measured]) -> bytes:
    """Return them as they stand between the brackets of a list, so that rows can be joined."""
    return _encode(measured)[1:-1]
