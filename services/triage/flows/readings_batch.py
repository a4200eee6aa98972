"""One batch of ``readings``: one decode per record, one pass in memory, one transaction."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import EVERY_MUNICIPALITY, EnvelopeError
from services.runtime.database import Database
from services.runtime.errors import OursMalformed
from services.runtime.fence import Ownership
from services.runtime.records import Record, envelope_of
from services.triage.domain.folding import Outcome
from services.triage.domain.inputs import Reading, Tick
from services.triage.domain.rulebook import Book
from services.triage.domain.runs import Measured
from services.triage.domain.state import SensorState
from services.triage.flows.stage_two import StageTwo
from services.triage.handlers import on_clock_ticked, on_sensor_measured
from services.triage.outbound.sensor_cache import Place, SensorCache
from services.triage.outbound.sensors import SensorStore
from services.triage.towns import Towns

log = structlog.get_logger()

UNBROKEN_MOST: Final = 4_000
"""Readings folded before other work of the process has its turn: heartbeats, the relay, the watchdog."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A record that was read: a town's readings, or a tick for all towns."""

    event_id: str
    partition: int
    municipality: str
    content: Sequence[Reading] | Tick


@dataclass(slots=True)
class _Work:
    """What one town's part of one partition's records came to, and what of it is not folded yet."""

    out: Outcome = field(default_factory=Outcome)
    waiting: list[Measured] = field(default_factory=list)
    readings: int = 0


class ReadingsBatch:
    """Folds batches. Whatever fails, what is in memory is dropped and loaded again from the rows."""

    def __init__(
        self,
        db: Database,
        towns: Towns,
        ownership: Ownership,
        cache: SensorCache,
        sensors: SensorStore,
        stage_two: StageTwo,
    ) -> None:
        self._db = db
        self._towns = towns
        self._ownership = ownership
        self._cache = cache
        self._sensors = sensors
        self._stage_two = stage_two

    async def handle(self, records: Sequence[Record]) -> None:
        """Fold, decide and save a batch.

        Raises:
            OursMalformed: Nothing of the batch was kept, nothing is skipped.
            Fenced: Another process owns a partition now; nothing was kept.
            Retriable: The database is away; nothing was kept, or it is recognised when read again.
        """
        opened = [_open(record) for record in records]
        try:
            await self._load(opened)
            work = await self._fold(opened)
            async with self._db.transaction() as conn:
                await self._ownership.advance(conn, records)
                await self._save(conn, work)
        except BaseException:
            self.forget()
            raise
        for each in opened:
            if isinstance(each.content, Tick):
                self._cache.last_tick[each.partition] = each.content.now

    def forget(self) -> None:
        """Drop all that is in memory."""
        self._cache.drop()
        self._stage_two.town_store.forget()

    async def _load(self, opened: Sequence[Opened]) -> None:
        missing = {place for each in opened for place in self._places(each) if self._cache.get(place) is None}
        if not missing:
            return
        async with self._db.reading() as conn:
            for place in sorted(missing):
                partition, municipality = place
                if municipality not in self._towns:
                    log.error("triage.municipality_unknown", municipality=municipality, partition=partition)
                states = await self._sensors.load_partition(conn, municipality, partition)
                self._cache.put(place, states)

    def _places(self, each: Opened) -> list[Place]:
        if isinstance(each.content, Tick):
            return [(each.partition, town) for town in self._towns_of(each)]
        return [(each.partition, each.municipality)]

    def _towns_of(self, tick: Opened) -> list[str]:
        watched = self._towns.watched(tick.partition)
        if tick.municipality == EVERY_MUNICIPALITY:
            return list(watched)
        return [tick.municipality] if tick.municipality in watched else []

    async def _fold(self, opened: Sequence[Opened]) -> dict[Place, _Work]:
        work: dict[Place, _Work] = defaultdict(_Work)
        for each in opened:
            for place in self._places(each):
                mine = work[place]
                if isinstance(each.content, Tick):
                    self._fold_tick(place, each.event_id, each.content, mine)
                    continue
                mine.waiting.append((each.event_id, each.content))
                mine.readings += len(each.content)
                if mine.readings >= UNBROKEN_MOST:
                    self._fold_waiting(place, mine)
                    await asyncio.sleep(0)
        for place, mine in work.items():
            if mine.waiting:
                self._fold_waiting(place, mine)
                await asyncio.sleep(0)
        return work

    def _fold_waiting(self, place: Place, mine: _Work) -> None:
        book, sensors = self._known(place)
        signals = len(mine.out.signals)
        on_sensor_measured.on_sensor_measured(book, sensors, self._cache.calms(place), mine.waiting, mine.out)
        mine.waiting, mine.readings = [], 0
        if len(mine.out.signals) > signals:  # A sensor that spoke again has a deadline again.
            self._cache.quiet_until.pop(place, None)

    def _fold_tick(self, place: Place, event_id: str, tick: Tick, mine: _Work) -> None:
        partition, municipality = place
        book, sensors = self._known(place)
        is_awaited = any(state.silent or state.newest is None for state in sensors.values())
        if mine.waiting and (is_awaited or on_clock_ticked.is_due(self._cache, place, tick)):
            self._fold_waiting(place, mine)
        on_clock_ticked.on_clock_ticked(
            book,
            self._cache,
            place,
            sensors=sensors,
            watched=self._towns.watched(partition)[municipality],
            tick=tick,
            out=mine.out,
        )
        if mine.out.cause is None and mine.out.signals:
            mine.out.cause = event_id

    def _known(self, place: Place) -> tuple[Book, dict[str, SensorState]]:
        sensors = self._cache.get(place)
        assert sensors is not None  # noqa: S101 - loaded above
        return self._towns.book(place[1]), sensors

    async def _save(self, conn: AsyncConnection, work: dict[Place, _Work]) -> None:
        # Towns in one order in every process: two that lock the same towns never wait for each other.
        for municipality in sorted({place[1] for place in work}):
            parts = []
            for place, mine in sorted(work.items()):
                if place[1] != municipality:
                    continue
                await self._save_states(conn, place, mine.out.touched)
                await self._stage_two.changes.add(conn, municipality, mine.out.changes)
                if mine.out.signals:
                    parts.append((mine.out.signals, mine.out.cause))
            if parts:
                await self._stage_two.take_up(conn, municipality, parts)

    async def _save_states(self, conn: AsyncConnection, place: Place, touched: set[str]) -> None:
        states = self._cache.get(place)
        if touched and states is not None:
            rows = [states[sensor_id] for sensor_id in sorted(touched)]
            await self._sensors.save(conn, place[1], place[0], rows)


def _open(record: Record) -> Opened:
    try:
        envelope = envelope_of(record)
    except EnvelopeError as err:
        raise OursMalformed(record.topic, record.partition, record.offset, str(err)) from None
    content: Sequence[Reading] | Tick
    if envelope.type == on_sensor_measured.TYPE and envelope.municipality != EVERY_MUNICIPALITY:
        content = on_sensor_measured.readings_of(record)
    elif envelope.type == on_clock_ticked.TYPE:
        content = on_clock_ticked.tick_of(record)
    else:
        reason = "type.unknown: no such type, or not for this municipality, in this release"
        raise OursMalformed(record.topic, record.partition, record.offset, reason)
    return Opened(envelope.id, record.partition, envelope.municipality, content)
