"""``reading.published`` on ``readings.external``: what sensor networks publish themselves."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import EVERY_MUNICIPALITY, Envelope, EnvelopeError
from schemas.events.readings import ReadingPublished
from schemas.topics import READINGS_EXTERNAL
from services.ingest.domain.muting import Conduct
from services.ingest.domain.normalise import Fault, Reading, normalise
from services.ingest.domain.sensors import Catalogue
from services.ingest.flows.acceptance import Acceptance, Delivery
from services.ingest.outbound import quarantine, sources
from services.ingest.outbound.quarantine import Kept
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.dead_letter import DeadLetters
from services.runtime.errors import Refused
from services.runtime.outbox import Outbox
from services.runtime.records import Record, envelope_of

log = structlog.get_logger()

TOPIC: Final = READINGS_EXTERNAL.name
NO_SOURCE: Final = "?"

Origin = tuple[str, str]
"""Municipality and source."""

EVERYBODY: Final[Origin] = (EVERY_MUNICIPALITY, "*")
TOGETHER: Final = 10
"""So many times one source's share of poison is too much from all of them together."""


@dataclass(slots=True)
class _Sorted:
    """The records of one source in a batch."""

    records: list[Record] = field(default_factory=list)
    good: list[Reading] = field(default_factory=list)
    poison: list[tuple[Record, Refused]] = field(default_factory=list)


class OnReadingPublished:
    """Accepts what can be read, dead-letters the rest with a reason, and never stops the partition.

    Args:
        poison_most: Unreadable records a minute from one source; above, the source is muted.
    """

    def __init__(
        self,
        db: Database,
        acceptance: Acceptance,
        dead_letters: DeadLetters,
        outbox: Outbox,
        *,
        clock: Clock,
        wall: Callable[[], datetime],
        poison_most: int,
    ) -> None:
        self._db = db
        self._acceptance = acceptance
        self._dead_letters = dead_letters
        self._outbox = outbox
        self._clock = clock
        self._wall = wall
        self._poison_most = poison_most

    async def handle(self, records: Sequence[Record]) -> Counter[str]:
        """Take a batch in, in one transaction; return how many readings had which outcome."""
        now, stored_at = self._clock.now(), self._wall()
        by_origin = self._sort(records, now)
        counts: Counter[str] = Counter()
        async with self._db.transaction() as conn:
            for origin in sorted(by_origin):
                if await self._is_muted(conn, origin, len(by_origin[origin].poison), stored_at):
                    await self._set_apart(conn, origin, by_origin[origin].records, stored_at)
                    counts["muted"] += len(by_origin[origin].records)
                    by_origin[origin] = _Sorted()
            await self._bury(conn, by_origin, counts, now, stored_at)
            deliveries = [Delivery(*origin, tuple(batch.good)) for origin, batch in sorted(by_origin.items())]
            accepted = await self._acceptance.accept(conn, deliveries, received_at=now, stored_at=stored_at)
            await self._outbox.announce(conn)
        for outcomes in accepted:
            counts.update({outcome.value: count for outcome, count in outcomes.items()})
        return counts

    async def _bury(
        self,
        conn: AsyncConnection,
        by_origin: dict[Origin, _Sorted],
        counts: Counter[str],
        now: datetime,
        stored_at: datetime,
    ) -> None:
        """Keep what cannot be read: as dead letters, or set apart once all sources together send too much.

        A source may call itself something else with every record, so the sum is watched as well.
        """
        poison = [each for batch in by_origin.values() for each in batch.poison]
        if await self._is_muted(conn, EVERYBODY, len(poison), stored_at, self._poison_most * TOGETHER):
            await self._set_apart(conn, EVERYBODY, [record for record, _ in poison], stored_at)
            counts["muted"] += len(poison)
            return
        counts["dead"] += len(poison)
        await self._dead_letters.add_all_refused(conn, poison, now)

    def _sort(self, records: Sequence[Record], now: datetime) -> dict[Origin, _Sorted]:
        by_origin: dict[Origin, _Sorted] = {}
        for record in records:
            origin, read = read_record(record, now, self._acceptance.catalogue)
            batch = by_origin.setdefault(origin, _Sorted())
            batch.records.append(record)
            if isinstance(read, Refused):
                batch.poison.append((record, read))
            else:
                batch.good.append(read)
        return by_origin

    async def _is_muted(
        self, conn: AsyncConnection, origin: Origin, poison: int, at: datetime, most: int | None = None
    ) -> bool:
        before = await sources.conduct_of(conn, *origin)
        if before is not None and before.is_muted:
            return True
        if not poison:
            return False
        after = (before or Conduct(window_at=at)).after(poison, at, most or self._poison_most)
        await sources.put_conduct(conn, *origin, after)
        if after.is_muted:
            log.error("ingest.source_muted", municipality=origin[0], source=origin[1], poison=after.poison)
        return False

    @staticmethod
    async def _set_apart(
        conn: AsyncConnection, origin: Origin, records: Sequence[Record], at: datetime
    ) -> None:
        municipality, source = origin
        kept = [Kept(source, "source.muted", record.value) for record in records]
        await quarantine.keep(conn, municipality, kept, at)


def read_record(record: Record, now: datetime, catalogue: Catalogue) -> tuple[Origin, Reading | Refused]:
    """Return whose record it is and the reading in it, or why it is a dead letter."""
    try:
        envelope = envelope_of(record)
    except EnvelopeError as err:
        return (EVERY_MUNICIPALITY, NO_SOURCE), Refused(f"envelope.{err.field}", err.reason)
    origin = envelope.municipality, envelope.source
    if not catalogue.serves(envelope.municipality):
        unknown = Refused("municipality.unknown", "no municipality of this name is served here")
        return (EVERY_MUNICIPALITY, envelope.source), unknown
    try:
        return origin, _reading(envelope, record.value, now)
    except Refused as refused:
        return origin, refused


def _reading(envelope: Envelope, value: bytes, now: datetime) -> Reading:
    if envelope.type != ReadingPublished.TYPE:
        raise Refused("type.unknown", f"topic {TOPIC} has no such type in this release")
    if not value:
        raise Refused("value.empty", "the record has no value")
    read = normalise(_document(value), now)
    if isinstance(read, Fault):
        raise Refused(f"reading.{read.field or 'shape'}", f"{read.field or 'value'}: {read.detail}")
    return read


def _document(value: bytes) -> object:
    try:
        return json.loads(value.decode())
    except UnicodeDecodeError as err:
        raise Refused("value.not_utf8", f"the value is not UTF-8 at byte {err.start}") from err
    except ValueError as err:
        raise Refused("value.not_json", "the value is not JSON") from err
    except RecursionError as err:
        raise Refused("value.not_json", "the value is nested too deeply") from err
