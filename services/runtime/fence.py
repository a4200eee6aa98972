"""Who owns a partition: the listener, the gate and the epoch that make two owners harmless."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence

import sqlalchemy as sa
import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.database import Database, insert_into
from services.runtime.errors import Fenced
from services.runtime.records import Record
from services.runtime.tables import RuntimeTables

log = structlog.get_logger()

RETRY_S = 1.0
RETAKE_S = 2.0


class Gate(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Lets a rebalance wait for the batch in work and its commit, so nothing is handled twice.

    ``busy`` is held while a batch is handled and acknowledged; ``turn`` counts the revocations.
    """

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.busy = asyncio.Lock()
        self.assigned: frozenset[tuple[str, int]] = frozenset()
        self.turn = 0

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self.ready.clear()
        self.turn += 1
        async with self.busy:
            self.assigned = frozenset()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self.assigned = frozenset((each.topic, each.partition) for each in assigned)
        self.ready.set()

    def owns(self, record: Record) -> bool:
        return (record.topic, record.partition) in self.assigned


class Ownership(Gate):
    """A gate that opens once the epoch of every assigned partition was raised in the database.

    A batch's transaction begins with ``advance``; an owner of an older epoch changes nothing.

    Args:
        owner: Stable name of this process, shown in the table.
        drop_caches: Called whenever what is cached in memory may be stale.
    """

    def __init__(
        self, db: Database, tables: RuntimeTables, owner: str, drop_caches: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__()
        self._db = db
        self._table = tables.partition
        self._owner = owner
        self._drop_caches = drop_caches
        self._task: asyncio.Task[None] | None = None
        self.epochs: dict[tuple[str, int], int] = {}

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self.ready.clear()
        self.turn += 1
        self._stop_taking()
        async with self.busy:  # Waits for the batch in work and its commit.
            self._forget()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Start taking; the callback itself must return at once, because no heartbeat is sent meanwhile."""
        self._stop_taking()
        places = [(each.topic, each.partition) for each in assigned]
        self._task = asyncio.create_task(self._take_until_done(places))

    async def take(self, places: Sequence[tuple[str, int]]) -> None:
        """Raise the epochs of these partitions and open the gate.

        Raises:
            Retriable: The database is away.
        """
        async with self._db.transaction() as conn:
            epochs = {place: await self._raise(conn, *place) for place in sorted(places)}
        self._drop_caches()
        self.epochs = epochs
        self.assigned = frozenset(epochs)
        self.ready.set()

    async def advance(self, conn: AsyncConnection, records: Sequence[Record]) -> None:
        """Move ``next_offset`` behind these records under our epochs; the first thing a batch does.

        Raises:
            Fenced: A partition is not ours any more: the transaction must be rolled back.
        """
        ends: dict[tuple[str, int], int] = {}
        for record in records:
            place = (record.topic, record.partition)
            ends[place] = max(ends.get(place, 0), record.offset + 1)
        for place, next_offset in sorted(ends.items()):
            epoch = self.epochs.get(place)
            if epoch is None or not await advance(conn, self._table, *place, epoch, next_offset):
                raise Fenced(f"{place[0]}[{place[1]}] is owned by another process")

    def fenced(self) -> None:
        """Close the gate after ``Fenced``; take again later if the broker still gives us the partitions."""
        places = sorted(self.epochs)
        self.ready.clear()
        self._forget()
        self._stop_taking()
        if places:
            self._task = asyncio.create_task(self._retake(places))

    async def _retake(self, places: Sequence[tuple[str, int]]) -> None:
        # Two owners at once are about to be sorted out by the broker, which revokes or assigns again and
        # so ends this task. When it does not, a late write of a former owner had raised the epoch.
        await asyncio.sleep(RETAKE_S * random.uniform(1, 2))  # noqa: S311 - jitter, no secret
        await self._take_until_done(places)

    async def _take_until_done(self, places: Sequence[tuple[str, int]]) -> None:
        while True:
            try:
                await self.take(places)
                return
            except Exception as err:
                log.warning("partition.take_failed", partitions=len(places), error=type(err).__name__)
                await asyncio.sleep(RETRY_S)

    async def _raise(self, conn: AsyncConnection, topic: str, partition: int) -> int:
        t = self._table
        insert = insert_into(conn, t).values(
            topic=topic, partition=partition, epoch=1, next_offset=0, owner=self._owner
        )
        raised = insert.on_conflict_do_update(
            index_elements=[t.c.topic, t.c.partition],
            set_={"epoch": t.c.epoch + 1, "owner": self._owner},
        ).returning(t.c.epoch)
        return int((await conn.execute(raised)).scalar_one())

    def _stop_taking(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _forget(self) -> None:
        self.epochs = {}
        self.assigned = frozenset()
        self._drop_caches()


async def advance(
    conn: AsyncConnection, table: sa.Table, topic: str, partition: int, epoch: int, next_offset: int
) -> bool:
    """Move a partition's ``next_offset`` if ``epoch`` still holds; lock its row until the commit."""
    is_ours = (table.c.topic == topic) & (table.c.partition == partition) & (table.c.epoch == epoch)
    done = await conn.execute(sa.update(table).where(is_ours).values(next_offset=next_offset))
    return done.rowcount == 1
