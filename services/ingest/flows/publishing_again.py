"""Let accepted readings travel once more, when their topic was wiped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.topics import partition_of
from services.ingest.domain.sensors import Catalogue, KnownSensor
from services.ingest.outbound import packs
from services.ingest.outbound.packs import Measured, Pack
from services.ingest.outbound.tables import PACK
from services.runtime.database import Database
from services.runtime.outbox import Outbox

AT_ONCE: Final = 5000


class PublishingAgain:
    """Packs every reading that is still kept anew, in the order accepted; triage knows its numbers."""

    def __init__(self, db: Database, outbox: Outbox, catalogue: Catalogue) -> None:
        self._db = db
        self._outbox = outbox
        self._catalogue = catalogue

    async def all_kept(self) -> int:
        """Return how many readings wait anew; a sensor that is not listed any more decides nothing."""
        total, after = 0, 0
        async with self._db.reading() as conn:
            newest = await conn.execute(sa.select(sa.func.max(PACK.c.id)))
            last = int(newest.scalar_one() or 0)
        while after < last:
            async with self._db.transaction() as conn:
                count, after = await self._some(conn, after, last)
                await self._outbox.announce(conn)
            total += count
        return total

    async def _some(self, conn: AsyncConnection, after: int, last: int) -> tuple[int, int]:
        t = PACK.c
        span = (t.id > after, t.id <= last, sa.not_(t.waits))
        found = await packs.kept(conn, *span, readings_most=AT_ONCE)
        count = sum([await self._again(conn, pack) for pack in found])
        return count, found[-1].id if found else last

    @staticmethod
    def _places(pack: Pack, listed: Mapping[str, KnownSensor]) -> dict[int, list[Measured]]:
        places: dict[int, list[Measured]] = {}
        for each in pack.readings:
            if (sensor := listed.get(each.sensor_id)) is not None:
                places.setdefault(partition_of(pack.municipality, sensor.site), []).append(each)
        return places

    async def _again(self, conn: AsyncConnection, pack: Pack) -> int:
        """Put packs in the place of this one: its sensors may belong to other partitions by now."""
        listed = self._catalogue.towns.get(pack.municipality, {})
        places = self._places(pack, listed)
        rest = [each for each in pack.readings if each.sensor_id not in listed]
        for some, waits in ((places, True), ({pack.partition: rest}, False)):
            await packs.put(
                conn,
                pack.municipality,
                some,
                received_at=pack.received_at,
                stored_at=pack.stored_at,
                waits=waits,
            )
        await packs.forget(conn, [pack.id])
        return len(pack.readings) - len(rest)
