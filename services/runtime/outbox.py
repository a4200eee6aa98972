"""What must be published, kept in the transaction that decided it. Only the relay publishes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Protocol

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Envelope
from schemas.topics import BY_NAME
from schemas.vocabulary import Lane
from services.runtime.clock import Clock
from services.runtime.database import after_commit
from services.runtime.signing import Signer
from services.runtime.tables import RuntimeTables

RUN_LEAST = 20
"""From so many rows on, which follow one another, a statement of their own is cheaper than their numbers."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to publish.

    Attributes:
        key: Kafka key; records of one key leave in order. ``None`` only on topics without order.
        lane: A topic's records of one key must all be in the same lane.
        partition: Explicit partition (``readings``); else the key decides.
    """

    topic: str
    key: str | None
    envelope: Envelope
    value: bytes
    lane: Lane
    partition: int | None = None

    @property
    def hold(self) -> str:
        """Return what must wait when this record cannot be published: its partition, else its key."""
        if self.partition is not None:
            return f"{self.topic}#{self.partition}"
        return f"{self.topic}/{self.key if self.key is not None else self.envelope.id}"

    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Return the headers with which it is published."""
        return self.envelope.headers()


class Stored(Outgoing):
    """A record as its row holds it: published with the headers that were kept, opened when asked."""

    __slots__ = ("_hold", "_packed")
    _hold: str
    _packed: bytes

    def __init__(self, row: Sequence[Any]) -> None:
        _seq, topic, key, partition, lane, hold, packed, value = row
        put = object.__setattr__
        put(self, "topic", topic)
        put(self, "key", key)
        put(self, "partition", partition)
        put(self, "lane", _LANES[lane])
        put(self, "_hold", hold)
        put(self, "_packed", packed)
        put(self, "value", value)

    @property
    def envelope(self) -> Envelope:
        return Envelope.parse(unpack_headers(self._packed))

    @property
    def hold(self) -> str:
        return self._hold

    def headers(self) -> Sequence[tuple[str, bytes]]:
        return unpack_headers(self._packed)


@dataclass(frozen=True, slots=True)
class Pending:
    """An unpublished record of a source. ``id`` means something to its source only."""

    id: Any
    outgoing: Outgoing

    @property
    def hold(self) -> str:
        return self.outgoing.hold


class Source(Protocol):
    """Where the relay takes records from. The outbox table is one; a service may bring others.

    Attributes:
        lane: Sources are emptied in the order of their (first) lanes.
    """

    @property
    def lane(self) -> Lane: ...

    async def pending(self, conn: AsyncConnection, limit: int, held: frozenset[str]) -> list[Pending]:
        """Return at most ``limit`` unpublished records in order, none whose ``hold`` is in ``held``."""
        ...

    async def mark(self, conn: AsyncConnection, published: Sequence[Pending], at: datetime) -> None:
        """Note that these were published."""
        ...

    async def unpublished(self, conn: AsyncConnection) -> int:
        """Return how many records wait."""
        ...


class Outbox:
    """The outbox table of one service, and the relay's first source."""

    lane = Lane.DECISIONS

    def __init__(self, tables: RuntimeTables, signer: Signer | None, service: str, clock: Clock) -> None:
        self._table = tables.outbox
        self._signer = signer
        self._service = service
        self._clock = clock
        self.woken = asyncio.Event()

    @property
    def channel(self) -> str:
        """Name of the PostgreSQL channel on which a new row is announced."""
        return f"municipio_{self._service}_outbox"

    async def add(self, conn: AsyncConnection, municipality: str, outgoing: Sequence[Outgoing]) -> None:
        """Keep records for publication, signed where their topic demands it; then wake the relay.

        Raises:
            EnvelopeError: An attribute that no reader would accept; a bug of the caller.
        """
        if not outgoing:
            return
        at = self._clock.now()
        await conn.execute(
            sa.insert(self._table), [self._row(municipality, self._signed(each), at) for each in outgoing]
        )
        await self.announce(conn)

    async def announce(self, conn: AsyncConnection) -> None:
        """Wake every relay of this service once this transaction is committed."""
        is_first = after_commit(conn, self, self.wake)
        if is_first and conn.dialect.name == "postgresql":
            await conn.execute(sa.select(sa.func.pg_notify(self.channel, "")))

    def wake(self) -> None:
        """Wake the relay of this process now."""
        self.woken.set()

    def _signed(self, outgoing: Outgoing) -> Outgoing:
        topic = BY_NAME.get(outgoing.topic)
        if topic is None or not topic.signed:
            return outgoing
        if self._signer is None:
            raise ValueError(f"topic {topic.name} is signed and this service has no key")
        envelope = self._signer.seal(outgoing.topic, outgoing.envelope, outgoing.value)
        return Outgoing(
            outgoing.topic, outgoing.key, envelope, outgoing.value, outgoing.lane, outgoing.partition
        )

    @staticmethod
    def _row(municipality: str, each: Outgoing, at: datetime) -> dict[str, Any]:
        headers = each.envelope.headers()
        Envelope.parse(headers)  # What no reader could open must fail here, in the handler that made it.
        return {
            "municipality": municipality,
            "lane": int(each.lane),
            "topic": each.topic,
            "key": each.key,
            "partition": each.partition,
            "hold": each.hold,
            "event_id": each.envelope.id,
            "headers": pack_headers(headers),
            "value": each.value,
            "created_at": at,
        }

    async def pending(self, conn: AsyncConnection, limit: int, held: frozenset[str]) -> list[Pending]:
        return await self.waiting(conn, limit, held, dead=False)

    async def waiting(
        self, conn: AsyncConnection, limit: int, held: frozenset[str], *, dead: bool
    ) -> list[Pending]:
        """Return unpublished dead letters, or all others, in the order of lane and acceptance."""
        t = self._table
        # Named one by one: for a range SQLite takes another index and sorts all that waits, each round.
        which = t.c.lane.in_([int(lane) for lane in Lane if (lane >= Lane.DEAD_LETTERS) == dead])
        kept = (t.c.seq, t.c.topic, t.c.key, t.c.partition, t.c.lane, t.c.hold, t.c.headers, t.c.value)
        unpublished = sa.select(*kept).where(t.c.published_at.is_(None), which)
        wanted = unpublished.order_by(t.c.lane, t.c.seq).limit(limit)
        if held:
            wanted = wanted.where(t.c.hold.not_in(held))
        return [Pending(row[0], Stored(tuple(row))) for row in await conn.execute(wanted)]

    async def mark(self, conn: AsyncConnection, published: Sequence[Pending], at: datetime) -> None:
        t = self._table
        runs, alone = _runs([each.id for each in published])
        change = sa.update(t).values(published_at=at)
        for first, last in runs:
            await conn.execute(change.where(t.c.seq.between(first, last)))
        for chunk in _chunks(alone, 500):
            await conn.execute(change.where(t.c.seq.in_(chunk)))

    async def unpublished(self, conn: AsyncConnection) -> int:
        t = self._table
        count = sa.select(sa.func.count()).select_from(t).where(t.c.published_at.is_(None))
        return int((await conn.execute(count)).scalar_one())

    async def ages(self, conn: AsyncConnection) -> dict[Lane, timedelta]:
        """Return, per lane that waits, the age of its oldest unpublished record."""
        t = self._table
        oldest = (
            sa.select(t.c.lane, sa.func.min(t.c.created_at))
            .where(t.c.published_at.is_(None))
            .group_by(t.c.lane)
        )
        now = self._clock.now()
        return {Lane(lane): now - since for lane, since in await conn.execute(oldest)}

    async def last(self, conn: AsyncConnection) -> int:
        """Return the number of the newest record, 0 if there is none."""
        newest = await conn.execute(sa.select(sa.func.max(self._table.c.seq)))
        return int(newest.scalar_one() or 0)

    async def again(
        self, conn: AsyncConnection, topic: str, after: int, until: int, limit: int
    ) -> tuple[int, int]:
        """Let published records of a topic wait anew; return how many, and the number of the last of them."""
        t = self._table.c
        kept = (
            sa.select(t.seq)
            .where(t.topic == topic, t.published_at.is_not(None), t.seq > after, t.seq <= until)
            .order_by(t.seq)
            .limit(limit)
        )
        found = list((await conn.execute(kept)).scalars())
        for chunk in _chunks(found, 500):
            await conn.execute(sa.update(self._table).where(t.seq.in_(chunk)).values(published_at=None))
        return len(found), found[-1] if found else until

    async def prune(self, conn: AsyncConnection, before: datetime, limit: int = 5000) -> int:
        """Delete published records older than ``before``, a bounded number at a time; return how many."""
        t = self._table
        old = sa.select(t.c.seq).where(t.c.published_at < before).limit(limit)
        return (await conn.execute(sa.delete(t).where(t.c.seq.in_(old)))).rowcount


class Leftovers:
    """The outbox's dead letters, behind every other source: poison from outside never delays a reading."""

    lane = Lane.DEAD_LETTERS

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def pending(self, conn: AsyncConnection, limit: int, held: frozenset[str]) -> list[Pending]:
        return await self._outbox.waiting(conn, limit, held, dead=True)

    async def mark(self, conn: AsyncConnection, published: Sequence[Pending], at: datetime) -> None:
        await self._outbox.mark(conn, published, at)

    async def unpublished(self, conn: AsyncConnection) -> int:
        return 0  # The outbox counts them.


def pack_headers(headers: Sequence[tuple[str, bytes]]) -> bytes:
    """Return headers as the JSON that tables keep; bytes that are no UTF-8 are escaped."""
    return json.dumps([[name, raw.decode("utf-8", "backslashreplace")] for name, raw in headers]).encode()


_unpack = msgspec.json.Decoder(list[tuple[str, str]]).decode


def unpack_headers(packed: bytes) -> tuple[tuple[str, bytes], ...]:
    """Return headers as Kafka carries them."""
    return tuple([(name, text.encode()) for name, text in _unpack(packed)])


_LANES = {int(lane): lane for lane in Lane}


def _runs(ids: Sequence[int]) -> tuple[list[tuple[int, int]], list[int]]:
    """Return the numbers that follow one another as first and last, and those of short runs by themselves."""
    runs: list[tuple[int, int]] = []
    alone: list[int] = []
    for _, group in groupby(enumerate(sorted(ids)), lambda place: place[1] - place[0]):
        run = [seq for _, seq in group]
        if len(run) >= RUN_LEAST:
            runs.append((run[0], run[-1]))
        else:
            alone += run
    return runs, alone


def _chunks(ids: list[Any], size: int) -> list[list[Any]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]
