"""The town's clock on the topic ``readings``: a tick to each partition, behind all that came before it."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from schemas.envelope import EVERY_MUNICIPALITY, Envelope
from schemas.events.readings import ClockTicked
from schemas.topics import READINGS
from schemas.vocabulary import Lane
from services.ingest.outbound.source import SOURCE
from services.ingest.outbound.tables import SERIES, TICK
from services.runtime.clock import Clock
from services.runtime.database import Database, insert_into
from services.runtime.errors import Retriable
from services.runtime.outbox import Outgoing

EVERY_S: Final = 1.0
_NAMESPACE: Final = uuid.UUID("5e0a3c1e-5a0b-5c7b-8f53-3f1d6a2c9d40")


class Ticker:
    """What the relay publishes behind the readings: each real second, and after each jump of the clock.

    No partition ever sees a tick that says less than the one before it, also over restarts: a clock
    that was set back is waited for. Before the first accepted reading there is nothing to time, and no
    tick: so a fresh town can still be played a recording of years ago.
    """

    def __init__(
        self, db: Database, clock: Clock, *, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._db = db
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._last: dict[int, datetime | None] = dict.fromkeys(range(READINGS.partitions))
        self._ticked_s = float("-inf")
        self._generation: int | None = None
        self._offered: tuple[datetime, int] | None = None
        self._saving: asyncio.Task[None] | None = None
        self._has_begun = False

    @property
    def last(self) -> datetime | None:
        """What every partition has been told; None before the first tick."""
        told = [moment for moment in self._last.values() if moment is not None]
        return min(told) if len(told) == len(self._last) else None

    @property
    def is_held(self) -> bool:
        """Whether the clock stands before the last tick, so that time does not go on for the rules."""
        return self.last is not None and self._clock.now() < self.last

    def begin(self) -> None:
        """Tick from now on: a reading was accepted."""
        self._has_begun = True

    async def load(self) -> None:
        """Learn from before a restart whether ticking had begun, and the last tick."""
        said = await last_tick(self._db)
        if said is not None:
            self._last = {p: said if at is None else max(at, said) for p, at in self._last.items()}
        async with self._db.reading() as conn:
            if (await conn.execute(sa.select(SERIES.c.last_n).limit(1))).first() is not None:
                self.begin()

    def due(self) -> Sequence[Outgoing]:
        """Return the ticks to publish now, or nothing. Asked before the unpublished readings are read."""
        if not self._has_begun:
            return ()
        # The generation first: a jump between the two is then seen again in the next round.
        generation, now = self._clock.generation, self._clock.now()
        is_early = self._monotonic_s() - self._ticked_s < EVERY_S
        if generation == self._generation and is_early:
            return ()
        self._offered = now, generation
        return [_tick(now, p) for p, told in self._last.items() if told is None or now > told]

    def published(self, outgoing: Sequence[Outgoing]) -> None:
        """Note which partitions were told; the others are told in a second."""
        if self._offered is None:
            return
        now, self._generation = self._offered
        self._last |= {each.partition: now for each in outgoing if each.partition is not None}
        self._ticked_s = self._monotonic_s()
        if self._saving is None or self._saving.done():
            self._saving = asyncio.get_running_loop().create_task(self._save())

    async def saved(self) -> None:
        """Wait until the last tick is stored."""
        if self._saving is not None:
            await self._saving

    async def _save(self) -> None:
        saved: datetime | None = None
        # A database that is away shall not stop the clock; a later tick is stored when it is back.
        with contextlib.suppress(Retriable):
            while self.last is not None and saved != self.last:
                saved = self.last
                async with self._db.transaction() as conn:
                    statement = insert_into(conn, TICK).values(municipality=EVERY_MUNICIPALITY, now=saved)
                    await conn.execute(
                        statement.on_conflict_do_update(index_elements=["municipality"], set_={"now": saved})
                    )


async def last_tick(db: Database) -> datetime | None:
    """Return what the last stored tick said."""
    async with db.reading() as conn:
        wanted = sa.select(TICK.c.now).where(TICK.c.municipality == EVERY_MUNICIPALITY)
        said: datetime | None = (await conn.execute(wanted)).scalar_one_or_none()
        return said


def _tick(now: datetime, partition: int) -> Outgoing:
    envelope = Envelope(
        id=str(uuid.uuid5(_NAMESPACE, f"{partition}/{now.isoformat()}")),
        source=SOURCE,
        type=ClockTicked.TYPE,
        time=now,
        municipality=EVERY_MUNICIPALITY,
    )
    value = ClockTicked(now=now).json_bytes()
    return Outgoing(READINGS.name, EVERY_MUNICIPALITY, envelope, value, Lane.READINGS, partition)
