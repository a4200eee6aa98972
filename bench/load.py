"""Readings of many gauges with a known answer: on the topics, packed as ingest packs them and one by one."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Producer

from bench.baselines.rule import ROWS, changes
from bench.harness import NotMeasured
from schemas.envelope import EVERY_MUNICIPALITY, Envelope
from schemas.events.readings import ClockTicked, Measurement, SensorMeasured
from schemas.fingerprint import MODULUS, fingerprint_of
from schemas.topics import READINGS, partition_of
from schemas.vocabulary import Property
from services.ingest.domain.packing import PACK_MOST, Waiting, pack
from tests.support.towns import WrittenTown, write_town

SENSORS: Final = 600
GAUGES_A_ZONE: Final = 15
"""Six hundred gauges watch forty zones: a reach of the river, a neighbourhood, is seen by several."""
READINGS_EACH: Final = 1000
START: Final = datetime(2026, 5, 5, 8, 0, tzinfo=UTC)
EVERY: Final = timedelta(minutes=1)
ON_THE_WAY: Final = timedelta(seconds=2)
WAVE: Final = (0, 1, 2, 3, 4, 3, 2, 1)
PLATEAU: Final = (90, 130)
"""Readings that a gauge stays within a level: in a thousand, a flood rises through all of them and goes."""
ROUND: Final = 16_000
"""Readings that ingest's relay packs at once under load."""
Change = tuple[str, int, int, datetime]
"""Gauge, level before, level after, ``observed_at``."""


@dataclass(frozen=True)
class Load:
    """A town's readings, gauge by gauge, all at the same minutes."""

    town: WrittenTown
    series: dict[str, list[float]]

    @property
    def count(self) -> int:
        return sum(map(len, self.series.values()))

    @cached_property
    def reference(self) -> tuple[int, str]:
        """How many conditions move, and a hash over all of them."""
        return digest(
            (gauge, before, after, _observed_at(place))
            for gauge, values in self.series.items()
            for place, before, after in changes(values)
        )

    @cached_property
    def fingerprint(self) -> int:
        """The order-independent hash of all readings, as a client would know it."""
        total = sum(
            fingerprint_of(gauge, Property.RIVER_LEVEL.value, _observed_at(place), value)
            for gauge, values in self.series.items()
            for place, value in enumerate(values)
        )
        return total % MODULUS

    def partition(self, gauge: str) -> int:
        return partition_of(self.town.id, f"s-{gauge.removeprefix('g-')}")


def make_load(
    folder: Path,
    town_id: str = "rio",
    *,
    sensors: int = SENSORS,
    each: int = READINGS_EACH,
    gauges_a_zone: int = GAUGES_A_ZONE,
    plateau: tuple[int, int] = PLATEAU,
    seed: int = 1,
) -> Load:
    """Write a town of that many gauges with a level rule each, and make their readings."""
    town = write_town(
        folder,
        town_id,
        zones=sensors // gauges_a_zone,
        sensors_per_zone=gauges_a_zone,
        residents_per_zone=1,
        confirm=2,
        levels=ROWS,
        expected_every_s=60,
    )
    chance = random.Random(seed)
    return Load(town, {gauge: _series(chance, each, plateau) for gauge in town.sensors})


def digest(moved: Iterable[Change]) -> tuple[int, str]:
    """Return how many changes these are, and a hash that does not depend on their order."""
    lines = sorted(
        f"{gauge}|{before}|{after}|{at.astimezone(UTC).isoformat()}" for gauge, before, after, at in moved
    )
    return len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def check_changes(load: Load, moved: Iterable[Change], whose: str) -> None:
    """Hold what a side found against the reference.

    Raises:
        NotMeasured: It decided something else, so its speed says nothing.
    """
    found = digest(moved)
    if found != load.reference:
        raise NotMeasured(f"{whose} found {found}, the reference is {load.reference}")


def put_packed(bootstrap: str, loads: Sequence[Load], *, pack_most: int = PACK_MOST) -> None:
    """Fill ``readings`` as ingest's relay does under load, a tick behind every round of it."""
    _put(bootstrap, packed_rows(loads, pack_most=pack_most))


def packed_rows(loads: Sequence[Load], *, pack_most: int = PACK_MOST) -> Iterator[Row]:
    """Yield the records of ``put_packed`` in their order."""
    for parts in zip(*(_packed(load, pack_most) for load in loads), strict=True):
        for rows, _ in parts:
            yield from rows
        yield from _ticks(max(at for _, at in parts))


def put_single(bootstrap: str, topic: str, load: Load, *, enveloped: bool) -> None:
    """Fill a topic with one reading a record; without the envelope's headers for a baseline."""
    _put(bootstrap, _single(load, topic, enveloped=enveloped))


@dataclass(frozen=True, slots=True)
class Row:
    """A record to put on a topic."""

    topic: str
    partition: int
    value: bytes
    key: str | None = None
    headers: Any = None  # Any: the producer's type is narrower than what it takes


def _series(chance: random.Random, count: int, plateau: tuple[int, int]) -> list[float]:
    values: list[float] = []
    for level in cycle(WAVE):
        values += [round(level + chance.uniform(0.2, 0.8), 2) for _ in range(chance.randint(*plateau))]
        if len(values) >= count:
            break
    return values[:count]


def _observed_at(place: int) -> datetime:
    return START + EVERY * place


def _measured(load: Load) -> Iterator[Measurement]:
    """Yield the readings minute by minute."""
    for place in range(len(next(iter(load.series.values())))):
        at = _observed_at(place)
        for gauge, values in load.series.items():
            yield Measurement.model_construct(
                n=place + 1,
                sensor_id=gauge,
                property=Property.RIVER_LEVEL,
                value=values[place],
                unit="m",
                observed_at=at,
                received_at=at + ON_THE_WAY,
            )


def _packed(load: Load, pack_most: int) -> Iterator[tuple[list[Row], datetime]]:
    """Yield the records of each round, and when its last reading was accepted."""
    accepted = (
        Waiting(number, load.town.id, load.partition(one.sensor_id), one)
        for number, one in enumerate(_measured(load))
    )
    for number, waiting in enumerate(_in_rounds(accepted)):
        packs = pack(waiting, pack_most)
        rows = [
            _record(f"p-{number}-{at}", load, each.partition, [row.measurement for row in each.rows])
            for at, each in enumerate(packs)
        ]
        yield rows, waiting[-1].measurement.received_at


def _in_rounds(rows: Iterator[Waiting]) -> Iterator[tuple[Waiting, ...]]:
    while waiting := tuple(islice(rows, ROUND)):
        yield waiting


def _single(load: Load, topic: str, *, enveloped: bool) -> Iterator[Row]:
    for number, one in enumerate(_measured(load)):
        partition = load.partition(one.sensor_id)
        if enveloped:
            yield _record(f"s-{number}", load, partition, [one])
        else:
            yield Row(topic, partition, one.model_dump_json(exclude_none=True).encode(), one.sensor_id)
        if enveloped and number % ROUND == ROUND - 1:
            yield from _ticks(one.received_at)


def _record(event_id: str, load: Load, partition: int, readings: Sequence[Measurement]) -> Row:
    event = SensorMeasured.model_construct(readings=tuple(readings))
    envelope = _envelope(event_id, SensorMeasured.TYPE, readings[-1].received_at, load.town.id)
    return Row(READINGS.name, partition, event.json_bytes(), load.town.id, envelope.headers())


def _ticks(at: datetime) -> Iterator[Row]:
    envelope = _envelope(f"t-{at.isoformat()}", ClockTicked.TYPE, at, EVERY_MUNICIPALITY)
    value = ClockTicked(now=at).json_bytes()
    for partition in range(READINGS.partitions):
        yield Row(READINGS.name, partition, value, EVERY_MUNICIPALITY, envelope.headers())


def _envelope(event_id: str, kind: str, at: datetime, municipality: str) -> Envelope:
    return Envelope(id=event_id, source="municipio/ingest", type=kind, time=at, municipality=municipality)


def _put(bootstrap: str, rows: Iterable[Row]) -> None:
    failed: list[str] = []
    producer = Producer(
        {"bootstrap.servers": bootstrap, "linger.ms": 20, "acks": "all", "enable.idempotence": True}
    )

    def told(error: object, _message: object) -> None:
        if error is not None:
            failed.append(str(error))

    for row in rows:
        while True:
            try:
                producer.produce(
                    row.topic, row.value, row.key, row.partition, on_delivery=told, headers=row.headers
                )
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    if producer.flush(60) or failed:
        raise NotMeasured(f"the topic could not be filled: {failed[:1]}")
