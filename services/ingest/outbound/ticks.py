"""The town's clock on the topic ``readings``: a tick to each partition, behind all that came before it."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
STANDS_EVERY_S: Final = 10.0
SETTLE_S: Final = 0.1
SAVE_EVERY_S: Final = 0.5
_NAMESPACE: Final = uuid.UUID("5e0a3c1e-5a0b-5c7b-8f53-3f1d6a2c9d40")


@dataclass(frozen=True, slots=True)
class Told:
    """What the rules have been told of the time.

    Attributes:
        is_binding: Readings were accepted, so the rules will not be told of an earlier time.
    """

    now: datetime
    is_binding: bool


class Ticker:
    """What the relay publishes behind the readings: each real second, and after each jump of the clock.

    A clock that stands says so again every ten real seconds: whoever was given a partition meanwhile, or
    has started anew, does not know yet what time it is.

    From the first accepted reading on no partition ever sees a tick that says less than the one before
    it, also over restarts: a clock that was set back is waited for. Before it nothing was decided, and the
    clock may still be set to the time of a recording of years ago.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        *,
        settle_s: float = 0.0,
        save_every_s: float = 0.0,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """``settle_s``: how long a jump of a clock that stands still waits for ``ask``, which ends the wait.

        Whoever moves the clock by hand then posts and asks: one tick a step in place of two.
        ``save_every_s``: real seconds between two savings, where nobody else reads what is saved.
        """
        self._db = db
        self._clock = clock
        self._settle_s = settle_s
        self._save_every_s = save_every_s
        self._monotonic_s = monotonic_s
        self._is_asked = False
        self._jump: tuple[int, float] | None = None
        self._last: dict[int, datetime | None] = dict.fromkeys(range(READINGS.partitions))
        self._ticked_s = float("-inf")
        self._generation: int | None = None
        self._offered: tuple[datetime, int] | None = None
        self._saving: asyncio.Task[None] | None = None
        self._is_bound = False

    @property
    def last(self) -> datetime | None:
        """What every partition has been told; None before the first tick."""
        told = [moment for moment in self._last.values() if moment is not None]
        return min(told) if len(told) == len(self._last) else None

    @property
    def told(self) -> Told | None:
        """The same with whether it binds, as it is stored."""
        return None if self.last is None else Told(self.last, self._is_bound)

    @property
    def is_held(self) -> bool:
        """Whether the clock stands before the last tick, so that time does not go on for the rules."""
        return self._is_bound and self.last is not None and self._clock.now() < self.last

    @property
    def _stands(self) -> bool:
        return getattr(self._clock, "rate", 1.0) == 0

    def bind(self) -> None:
        """Never go back from the next tick on: a reading was accepted."""
        if not self._is_bound:
            self._is_bound = True
            self._last = dict.fromkeys(self._last)  # What was told before the first reading binds nobody.

    async def load(self) -> None:
        """Learn the last tick from before a restart, and whether it binds."""
        told = await last_tick(self._db)
        async with self._db.reading() as conn:
            if (await conn.execute(sa.select(SERIES.c.last_n).limit(1))).first() is not None:
                self.bind()
        if told is not None and told.is_binding:
            self.bind()
            self._last = {p: told.now if at is None else max(at, told.now) for p, at in self._last.items()}

    def due(self) -> Sequence[Outgoing]:
        """Return the ticks to publish now, or nothing. Asked before the unpublished readings are read."""
        # The generation first: a jump between the two is then seen again in the next round.
        generation, now = self._clock.generation, self._clock.now()
        if not self._is_time(generation):
            return ()
        self._offered = now, generation
        is_again = self._stands and self._monotonic_s() - self._ticked_s >= STANDS_EVERY_S
        return [
            _tick(now, p)
            for p, told in self._last.items()
            if self._is_news(now, told) or (is_again and told == now)
        ]

    def ask(self) -> None:
        """Have the next round of the relay tick, if the clock has moved."""
        self._is_asked = True

    def _is_time(self, generation: int) -> bool:
        now_s = self._monotonic_s()
        if self._is_asked:
            return True
        if generation == self._generation:
            return now_s - self._ticked_s >= EVERY_S
        if not self._stands:
            return True
        if self._jump is None or self._jump[0] != generation:
            self._jump = generation, now_s
        return now_s - self._jump[1] >= self._settle_s

    def _is_news(self, now: datetime, told: datetime | None) -> bool:
        return told is None or now > told or (now < told and not self._is_bound)

    def published(self, outgoing: Sequence[Outgoing]) -> None:
        """Note which partitions were told; the others are told in a second."""
        if self._offered is None:
            return
        now, self._generation = self._offered
        self._is_asked = False
        self._last |= {each.partition: now for each in outgoing if each.partition is not None}
        self._ticked_s = self._monotonic_s()
        if self._saving is None or self._saving.done():
            self._saving = asyncio.get_running_loop().create_task(self._save())

    async def saved(self) -> None:
        """Wait until the last tick is stored."""
        if self._saving is not None:
            await self._saving

    async def _save(self) -> None:
        saved: Told | None = None
        # A database that is away shall not stop the clock; a later tick is stored when it is back.
        with contextlib.suppress(Retriable):
            while (told := self.told) is not None and saved != told:
                saved = told
                row = {"now": saved.now, "is_binding": saved.is_binding}
                async with self._db.transaction() as conn:
                    statement = insert_into(conn, TICK).values(municipality=EVERY_MUNICIPALITY, **row)
                    await conn.execute(
                        statement.on_conflict_do_update(index_elements=["municipality"], set_=row)
                    )
                await asyncio.sleep(self._save_every_s)


async def last_tick(db: Database) -> Told | None:
    """Return what the last stored tick said."""
    async with db.reading() as conn:
        wanted = sa.select(TICK.c.now, TICK.c.is_binding)
        row = (await conn.execute(wanted.where(TICK.c.municipality == EVERY_MUNICIPALITY))).first()
        return None if row is None else Told(row[0], row[1])


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
