"""Accepted readings as a source of the relay: packed, in order, each record of one partition and town."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Envelope
from schemas.events.readings import Measurement, SensorMeasured
from schemas.topics import READINGS
from schemas.vocabulary import Lane, Property, Quality
from services.ingest.domain.packing import PACK_MOST, Pack, Waiting, pack
from services.ingest.outbound.tables import READING
from services.runtime.outbox import Outgoing, Pending

SOURCE: Final = "municipio/ingest"
BATCH: Final = 32
"""Records a round of the relay: 16,000 readings at most, so that a long outage does not fill the memory."""

_NAMESPACE: Final = uuid.UUID("0c5c0a43-6d5f-5d0c-9a7e-6a2b9f2f7c11")
_MARKED_AT_ONCE: Final = 5000


class ReadingSource:
    """The unpublished rows of ``reading``.

    Args:
        seen: Called whenever there are some.
    """

    lane = Lane.READINGS

    def __init__(self, now: Callable[[], datetime], seen: Callable[[], None] = lambda: None) -> None:
        self._now = now
        self._seen = seen

    async def pending(self, conn: AsyncConnection, limit: int, held: frozenset[str]) -> list[Pending]:
        t = READING
        # So many rows fill at least ``limit`` records: fewer records mean that nothing else waits.
        rows_most = limit * PACK_MOST
        wanted = sa.select(t).where(t.c.published_at.is_(None)).order_by(t.c.id).limit(rows_most)
        closed = [p for p in range(READINGS.partitions) if f"{READINGS.name}#{p}" in held]
        if closed:
            wanted = wanted.where(t.c.partition.not_in(closed))
        rows = (await conn.execute(wanted)).mappings().all()
        if rows:
            self._seen()
        return [self._record(each) for each in pack(map(_waiting, rows))[:limit]]

    async def mark(self, conn: AsyncConnection, published: Sequence[Pending], at: datetime) -> None:
        ids = sorted(row_id for each in published for row_id in each.id)
        for start in range(0, len(ids), _MARKED_AT_ONCE):
            chunk = ids[start : start + _MARKED_AT_ONCE]
            await conn.execute(sa.update(READING).where(READING.c.id.in_(chunk)).values(published_at=at))

    async def unpublished(self, conn: AsyncConnection) -> int:
        count = sa.select(sa.func.count()).select_from(READING).where(READING.c.published_at.is_(None))
        return int((await conn.execute(count)).scalar_one())

    async def oldest(self, conn: AsyncConnection) -> datetime | None:
        """Return when the reading that waits longest was stored, by the machine's clock."""
        wanted = sa.select(sa.func.min(READING.c.stored_at)).where(READING.c.published_at.is_(None))
        oldest: datetime | None = (await conn.execute(wanted)).scalar_one()
        return oldest

    def _record(self, each: Pack) -> Pending:
        ids = tuple(row.row_id for row in each.rows)
        event = SensorMeasured.model_construct(readings=tuple(row.measurement for row in each.rows))
        envelope = Envelope(
            id=str(
                uuid.uuid5(_NAMESPACE, f"{each.municipality}/{each.partition}/{ids[0]}-{ids[-1]}/{len(ids)}")
            ),
            source=SOURCE,
            type=SensorMeasured.TYPE,
            time=self._now(),
            municipality=each.municipality,
        )
        return Pending(
            ids,
            Outgoing(
                topic=READINGS.name,
                key=each.municipality,
                envelope=envelope,
                value=event.json_bytes(),
                lane=Lane.READINGS,
                partition=each.partition,
            ),
        )


def _waiting(row: sa.RowMapping) -> Waiting:
    return Waiting(row["id"], row["municipality"], row["partition"], _measurement(row))


def _measurement(row: Any) -> Measurement:
    # The row was checked when it was accepted; checking again would halve the relay's speed.
    return Measurement.model_construct(
        n=row["n"],
        sensor_id=row["sensor_id"],
        property=Property(row["property"]),
        value=row["value"],
        unit=row["unit"],
        observed_at=row["observed_at"],
        received_at=row["received_at"],
        quality=Quality(row["quality"]),
        correction=row["correction"],
        sequence=row["sequence"],
        event_id=row["event_id"],
    )
