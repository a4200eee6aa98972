"""Accepted readings as a source of the relay: packed, in order, each record of one partition and town."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Envelope
from schemas.events.readings import SensorMeasured
from schemas.topics import READINGS
from schemas.vocabulary import Lane
from services.ingest.domain.packing import PACK_MOST, Pack, pack
from services.ingest.outbound import packs
from services.runtime.outbox import Outgoing, Pending

SOURCE: Final = "municipio/ingest"
BATCH: Final = 32
"""Records a round of the relay: 16,000 readings at most, so that a long outage does not fill the memory."""

_NAMESPACE: Final = uuid.UUID("0c5c0a43-6d5f-5d0c-9a7e-6a2b9f2f7c11")


class ReadingSource:
    """Packs that wait, joined where few readings came at a time.

    Args:
        seen: Called whenever there are some.
    """

    lane = Lane.READINGS

    def __init__(self, now: Callable[[], datetime], seen: Callable[[], None] = lambda: None) -> None:
        self._now = now
        self._seen = seen

    async def pending(self, conn: AsyncConnection, limit: int, held: frozenset[str]) -> list[Pending]:
        # So many readings fill at least ``limit`` records: fewer records mean that nothing else waits.
        most = limit * PACK_MOST
        closed = [p for p in range(READINGS.partitions) if f"{READINGS.name}#{p}" in held]
        rows = await packs.waiting(conn, most, most, closed)
        if rows:
            self._seen()
        return [self._record(each) for each in pack(rows)[:limit]]

    async def mark(self, conn: AsyncConnection, published: Sequence[Pending], at: datetime) -> None:
        await packs.confirm(conn, sorted(row_id for each in published for row_id in each.id))

    async def unpublished(self, conn: AsyncConnection) -> int:
        return await packs.count(conn)

    async def oldest(self, conn: AsyncConnection) -> datetime | None:
        """Return when the reading that waits longest was stored, by the machine's clock."""
        return await packs.oldest(conn)

    def _record(self, each: Pack) -> Pending:
        ids = tuple(row.row_id for row in each.rows)
        name = f"{each.municipality}/{each.partition}/{ids[0]}-{ids[-1]}/{len(ids)}"
        envelope = Envelope(
            id=str(uuid.uuid5(_NAMESPACE, name)),
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
                value=packs.record_of([row.measurement for row in each.rows]),
                lane=Lane.READINGS,
                partition=each.partition,
            ),
        )
