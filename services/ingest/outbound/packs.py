"""Accepted readings as they travel: packed in the accepting transaction, kept as the record of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.topics import partition_of
from services.ingest.domain.packing import PACK_MOST, Waiting
from services.ingest.domain.sensors import KnownSensor
from services.ingest.domain.series import Numbered
from services.ingest.outbound.tables import PACK
from services.runtime.bulk import insert_rows, moment_of

_COLUMNS: Final = ("municipality", "partition", "count", "waits", "received_at", "stored_at", "body")
_IDS_AT_ONCE: Final = 500


class Measured(msgspec.Struct, gc=False):
    """A ``Measurement`` as it travels; a contract test holds it to the schema.

    Attributes:
        received_at: As JSON; all readings of a commit share it.
    """

    n: int
    sensor_id: str
    property: str
    value: float
    unit: str
    observed_at: datetime
    received_at: msgspec.Raw
    quality: str
    correction: bool
    sequence: int | msgspec.UnsetType = msgspec.UNSET
    event_id: str | msgspec.UnsetType = msgspec.UNSET


class Pack(NamedTuple):
    """A row of the table, its readings in the order accepted."""

    id: int
    municipality: str
    partition: int
    received_at: datetime
    stored_at: datetime
    readings: list[Measured]


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(list[Measured]).decode
_partition_of: Final = lru_cache(maxsize=100_000)(partition_of)


async def add(
    conn: AsyncConnection,
    municipality: str,
    new: Sequence[Numbered],
    sensors: Mapping[str, KnownSensor],
    *,
    received_at: datetime,
    stored_at: datetime,
) -> None:
    """Keep readings and leave them for the relay, as few rows as order allows."""
    received = msgspec.Raw(_encode(received_at.astimezone(UTC)))
    packs: dict[int, list[Measured]] = {}
    of_sensor = {
        each.sensor_id: packs.setdefault(_partition_of(municipality, each.site), [])
        for each in sensors.values()
    }
    for each in new:
        of_sensor[each.reading.sensor_id].append(_measured(each, received))
    await put(conn, municipality, packs, received_at=received_at, stored_at=stored_at)


async def put(
    conn: AsyncConnection,
    municipality: str,
    packs: Mapping[int, Sequence[Measured]],
    *,
    received_at: datetime,
    stored_at: datetime,
    waits: bool = True,
) -> None:
    """Keep the readings of some partitions, to be published unless they are only kept."""
    moment = moment_of(conn)
    received, stored = moment(received_at.astimezone(UTC)), moment(stored_at.astimezone(UTC))
    rows = [
        (municipality, partition, len(some), waits, received, stored, _listed(some))
        for partition, readings in packs.items()
        for some in _parts(readings)
    ]
    await insert_rows(conn, PACK, _COLUMNS, rows)


async def waiting(
    conn: AsyncConnection, readings_most: int, rows_most: int, closed: Sequence[int]
) -> list[Waiting]:
    """Return what waits for publication, oldest first, up to about ``readings_most`` readings."""
    t = PACK.c
    head = sa.select(t.id, t.count).where(t.waits).order_by(t.id).limit(rows_most)
    if closed:
        head = head.where(t.partition.not_in(closed))
    last_id = _last_of(list(await conn.execute(head)), readings_most)
    if not last_id:
        return []
    columns = (t.id, t.municipality, t.partition, t.body, t.count)
    wanted = sa.select(*columns).where(t.waits, t.id <= last_id).order_by(t.id)
    if closed:
        wanted = wanted.where(t.partition.not_in(closed))
    return [Waiting(*row) for row in await conn.execute(wanted)]


async def confirm(conn: AsyncConnection, ids: Sequence[int]) -> None:
    """Note that records with these were confirmed."""
    for start in range(0, len(ids), _IDS_AT_ONCE):
        some = ids[start : start + _IDS_AT_ONCE]
        await conn.execute(sa.update(PACK).where(PACK.c.id.in_(some)).values(waits=False))


async def kept(conn: AsyncConnection, *conditions: sa.ColumnElement[bool], readings_most: int) -> list[Pack]:
    """Return what is kept, oldest first, with at least so many readings where there are as many."""
    t = PACK.c
    head = sa.select(t.id, t.count).where(*conditions).order_by(t.id).limit(readings_most)
    last_id = _last_of(list(await conn.execute(head)), readings_most)
    if not last_id:
        return []
    columns = (t.id, t.municipality, t.partition, t.received_at, t.stored_at, t.body)
    wanted = sa.select(*columns).where(*conditions, t.id <= last_id).order_by(t.id)
    return [Pack(*row[:-1], _decode(b"[" + row[-1] + b"]")) for row in await conn.execute(wanted)]


async def forget(conn: AsyncConnection, ids: Sequence[int]) -> None:
    """Let go of packs."""
    for start in range(0, len(ids), _IDS_AT_ONCE):
        await conn.execute(sa.delete(PACK).where(PACK.c.id.in_(ids[start : start + _IDS_AT_ONCE])))


async def count(conn: AsyncConnection) -> int:
    """Return how many readings wait."""
    total = sa.select(sa.func.coalesce(sa.func.sum(PACK.c.count), 0)).where(PACK.c.waits)
    return int((await conn.execute(total)).scalar_one())


async def oldest(conn: AsyncConnection) -> datetime | None:
    """Return when the reading that waits longest was stored, by the machine's clock."""
    first = sa.select(PACK.c.stored_at).where(PACK.c.waits).order_by(PACK.c.id).limit(1)
    return (await conn.execute(first)).scalar_one_or_none()


def record_of(bodies: Sequence[bytes]) -> bytes:
    """Return the value of the one record that carries these rows."""
    return b'{"readings":[' + b",".join(bodies) + b"]}"


def _measured(each: Numbered, received_at: msgspec.Raw) -> Measured:
    reading = each.reading
    return Measured(
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


def _listed(measured: Sequence[Measured]) -> bytes:
    """Return them as they stand between the brackets of a list, so that rows can be joined."""
    return _encode(measured)[1:-1]


def _parts(readings: Sequence[Measured]) -> Iterator[Sequence[Measured]]:
    return (readings[start : start + PACK_MOST] for start in range(0, len(readings), PACK_MOST))


def _last_of(head: Sequence[Any], readings_most: int) -> int:  # Any: a row of number and count
    """Return the number of the row with which so many readings are together; 0 where there is none."""
    last_id, room = 0, readings_most
    for row_id, held in head:
        last_id, room = row_id, room - held
        if room <= 0:
            break
    return last_id
