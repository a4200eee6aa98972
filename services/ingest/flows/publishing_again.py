"""Let accepted readings travel once more, when their topic was wiped."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import Property, Quality
from services.ingest.domain.normalise import Reading
from services.ingest.domain.sensors import Catalogue
from services.ingest.domain.series import Numbered
from services.ingest.outbound import packed
from services.ingest.outbound.tables import READING
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
            newest = await conn.execute(sa.select(sa.func.max(READING.c.id)))
            last = int(newest.scalar_one() or 0)
        while after < last:
            async with self._db.transaction() as conn:
                count, after = await self._some(conn, after, last)
                await self._outbox.announce(conn)
            total += count
        return total

    async def _some(self, conn: AsyncConnection, after: int, last: int) -> tuple[int, int]:
        t = READING.c
        wanted = sa.select(READING).where(t.id > after, t.id <= last).order_by(t.id).limit(AT_ONCE)
        rows = list((await conn.execute(wanted)).mappings())
        count = 0
        for (town, received_at, stored_at), group in groupby(rows, _commit_of):
            sensors = self._catalogue.towns.get(town, {})
            new = [_numbered(row) for row in group if row["sensor_id"] in sensors]
            spoke = {each.reading.sensor_id: sensors[each.reading.sensor_id] for each in new}
            await packed.add(conn, town, new, spoke, received_at=received_at, stored_at=stored_at)
            count += len(new)
        return count, rows[-1]["id"] if rows else last


def _commit_of(row: sa.RowMapping) -> tuple[str, datetime, datetime]:
    return row["municipality"], row["received_at"], row["stored_at"]


def _numbered(row: sa.RowMapping) -> Numbered:
    reading = Reading(
        row["sensor_id"],
        Property(row["property"]),
        row["value"],
        row["observed_at"],
        Quality(row["quality"]),
        row["sequence"],
        row["event_id"],
    )
    return Numbered(row["n"], reading, row["correction"], row["identity"])
