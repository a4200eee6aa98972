"""Publish what the outbox holds: in order per key, again until it succeeds, by one process at a time."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import structlog

from schemas.vocabulary import Lane
from services.runtime import metrics
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.errors import Retriable
from services.runtime.health import Health
from services.runtime.holdback import HoldBack
from services.runtime.lease import Lease
from services.runtime.outbox import Leftovers, Outbox, Outgoing, Pending, Source
from services.runtime.publishing import Behind, Publisher, PublishFailed
from services.runtime.wakeups import listen

log = structlog.get_logger()

SWEEP_S = 0.25
BATCH = 2000
PAUSE_S = 0.25
PAUSE_S_MAX = 2.0
HELD_MAX = 500
TABLES_AGAIN_S = 0.5

Row = tuple[Source, Pending]


class Relay:
    """Empties the sources of one service: lanes first, then the order of acceptance.

    Rows are chosen because they are unpublished, never because their number is higher than the last. A
    failed record holds back its key (or its explicit partition) while the others go on; after any
    failure the publisher is made anew. Everything may be published twice, nothing is skipped.

    Args:
        make_publisher: Connects to the broker; raises when it is away.
        more_sources: Beside the outbox table, emptied in the order of their lanes.
        behind: What must follow everything accepted before it, as the clock's ticks.
    """

    def __init__(
        self,
        db: Database,
        outbox: Outbox,
        make_publisher: Callable[[], Awaitable[Publisher]],
        lease: Lease,
        clock: Clock,
        health: Health,
        *,
        more_sources: Sequence[Source] = (),
        behind: Behind | None = None,
        batch: int = BATCH,
    ) -> None:
        self._db = db
        self._outbox = outbox
        self._make_publisher = make_publisher
        self._lease = lease
        self._clock = clock
        self._health = health
        self._sources: list[Source] = sorted(
            [outbox, *more_sources, Leftovers(outbox)], key=lambda source: source.lane
        )
        self._behind = behind
        self._batch = batch
        self._publisher: Publisher | None = None
        self._held = HoldBack()
        self._pause_s = 0.0
        self._is_troubled = False
        self._round = asyncio.Lock()

    async def run(self) -> None:
        """Publish for ever; survives any absence of the database and of the broker."""
        listener = asyncio.create_task(listen(self._db, self._outbox.channel, self._outbox.wake))
        try:
            while True:
                self._health.beat("relay", within_s=60)
                self._outbox.woken.clear()
                if not await self._one_round():
                    await self._sleeps()
        finally:
            listener.cancel()
            await self._gives_up_publisher()
            with contextlib.suppress(Retriable):
                await self._lease.release()

    async def drain(self, rounds: int = 10_000) -> int:
        """Publish until nothing is left that can be published now; return how many records went out."""
        total = 0
        for _ in range(rounds):
            count = await self.step()
            total += count
            if count == 0:
                break
        return total

    async def drained(self) -> bool:
        """Say whether every record of every source was published."""
        return await self.unpublished() == 0

    async def unpublished(self) -> int:
        """Return how many records of all sources wait."""
        async with self._db.reading() as conn:
            return sum([await source.unpublished(conn) for source in self._sources])

    async def step(self) -> int:
        """Do one round if the lease is ours; return how many records were published and marked.

        Raises:
            Retriable: The database is away, or another process took the lease meanwhile.
        """
        async with self._round:
            if not await self._lease.hold():
                return 0
            due = tuple(self._behind.due()) if self._behind else ()
            rows = await self._read()
            ahead = [row for row in rows if row[1].outgoing.lane < Lane.DEAD_LETTERS]
            done = await self._publish_rows(ahead)
            if due and done == len(ahead) < self._batch:
                done += await self._publish_behind(due)
            done += await self._publish_rows(rows[len(ahead) :])
            metrics.HELD_KEYS.set(len(self._held))
            return done

    async def _one_round(self) -> bool:
        self._is_troubled = False
        try:
            done = await self.step()
        except Retriable as err:
            log.warning("relay.round_failed", reason=str(err))
            self._pauses()
            return False
        if not self._is_troubled:
            self._pause_s = 0.0
        return done > 0

    async def _sleeps(self) -> None:
        if self._pause_s:
            await asyncio.sleep(self._pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret
            return
        # Not wait_for: on Python 3.11 it can swallow a cancellation, and this loop would never end.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SWEEP_S):
                await self._outbox.woken.wait()

    async def _read(self) -> list[Row]:
        held = self._held.closed()
        rows: list[Row] = []
        async with self._db.reading() as conn:
            for source in self._sources:
                wanted = self._batch - len(rows)
                if wanted > 0:
                    rows += [(source, each) for each in await source.pending(conn, wanted, held)]
        return rows

    async def _publish_rows(self, rows: Sequence[Row]) -> int:
        return sum([await self._publish_and_mark(group) for group in self._groups(rows)])

    def _groups(self, rows: Sequence[Row]) -> list[list[Row]]:
        """Split a round: the unsuspected together, then every suspect key by itself."""
        if not len(self._held):
            return [list(rows)] if rows else []
        together: list[Row] = []
        alone: dict[str, list[Row]] = {}
        for row in rows:
            hold = row[1].hold
            (alone.setdefault(hold, []) if self._held.is_suspect(hold) else together).append(row)
        return [group for group in (together, *alone.values()) if group]

    async def _publish_and_mark(self, group: Sequence[Row]) -> int:
        results = await self._send([row[1].outgoing for row in group])
        failed: dict[str, PublishFailed] = {}
        done: list[Row] = []
        for row, result in zip(group, results, strict=True):
            hold = row[1].hold
            if result is not None:
                failed.setdefault(hold, result)
            elif hold not in failed:
                done.append(row)
        try:
            if done:
                await self._mark(done)
        finally:
            if failed:
                await self._after_failure(failed, is_total=not done)
        for hold in {row[1].hold for row in done} - failed.keys():
            self._held.passed(hold)
        return len(done)

    async def _mark(self, done: Sequence[Row]) -> None:
        at = self._clock.now()
        async with self._db.transaction() as conn:
            await self._lease.renew(conn)
            for source in self._sources:
                mine = [row[1] for row in done if row[0] is source]
                if mine:
                    await source.mark(conn, mine, at)
        for topic, count in Counter(row[1].outgoing.topic for row in done).items():
            metrics.PUBLISHED.labels(topic).inc(count)

    async def _send(self, batch: Sequence[Outgoing]) -> list[PublishFailed | None]:
        try:
            if self._publisher is None:
                self._publisher = await self._make_publisher()
        except Exception as err:
            lost = PublishFailed(f"no broker ({type(err).__name__})", is_refused=False)
            return [lost] * len(batch)
        return await self._publisher.send(batch)

    async def _after_failure(self, failed: dict[str, PublishFailed], *, is_total: bool) -> None:
        await self._gives_up_publisher()
        log.warning("relay.publish_failed", keys=len(failed), reason=str(next(iter(failed.values()))))
        for hold, failure in failed.items():
            metrics.PUBLISH_FAILED.labels(hold.partition("/")[0], str(failure.is_refused)).inc()
        if is_total and not any(failure.is_refused for failure in failed.values()):
            self._pauses()  # Nobody answers: the round is repeated as it stands, no key is to blame.
            return
        for hold, failure in failed.items():
            self._held.failed(hold, is_suspect=failure.is_refused)
        if len(self._held) > HELD_MAX:
            self._pauses()

    async def _publish_behind(self, due: Sequence[Outgoing]) -> int:
        free = [each for each in due if each.hold not in self._held]
        if not free or self._behind is None:
            return 0
        results = await self._send(free)
        done = [each for each, result in zip(free, results, strict=True) if result is None]
        if len(done) < len(free):
            await self._gives_up_publisher()
            self._pauses()
        self._behind.published(done)
        return len(done)

    def _pauses(self) -> None:
        self._is_troubled = True
        self._pause_s = min(max(self._pause_s * 2, PAUSE_S), PAUSE_S_MAX)

    async def _gives_up_publisher(self) -> None:
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            await publisher.close()


async def relay_alone(relay: Relay, db: Database, service: str) -> None:
    """Publish in a process of its own, as soon as the service has brought the tables up to date."""
    while True:
        try:
            if await db.is_migrated(service):
                break
            log.info("relay.tables_awaited")
        except Retriable as err:
            log.warning("relay.tables_not_seen", reason=str(err))
        await asyncio.sleep(TABLES_AGAIN_S)
    await relay.run()
