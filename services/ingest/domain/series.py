"""Which offered readings are new, which repeat, which correct; the number of each in its series. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec

from schemas.fingerprint import add, fingerprint_of, fingerprint_of_many
from services.ingest.domain.normalise import Reading


class Outcome(StrEnum):
    """What became of one offered reading."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CORRECTION = "correction"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Series:
    """Where a sensor's accepted series stands.

    Attributes:
        last_n: The number of its newest reading; as numbers have no holes, also how many there are.
        fingerprint: Hash of all of them, whatever their order.
        newest: The latest ``observed_at`` among them.
    """

    last_n: int = 0
    fingerprint: str = ""
    newest: datetime | None = None

    def has_seen(self, reading: Reading) -> bool:
        """Say whether the reading may have been accepted before; what is newer than all others was not."""
        return reading.event_id is not None or (
            self.newest is not None and reading.observed_at <= self.newest
        )

    def with_more(self, last_n: int, mark: int, newest: datetime) -> Series:
        """Return the series with further readings; ``mark`` is the sum of their fingerprints."""
        latest = newest if self.newest is None else max(self.newest, newest)
        return Series(last_n, add(self.fingerprint, mark), latest)

    def with_one_more(self, reading: Reading) -> Series:
        mark = fingerprint_of(reading.sensor_id, reading.measured, reading.observed_at, reading.value)
        return self.with_more(self.last_n + 1, mark, reading.observed_at)


class Numbered(msgspec.Struct, frozen=True, gc=False):
    """A reading that enters the series; ``identity`` is the reading's own."""

    n: int
    reading: Reading
    correction: bool
    identity: str


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a town's batch comes to.

    Attributes:
        outcomes: One per reading, in the order offered.
        series: Where the series of the sensors with new readings then stand.
    """

    outcomes: tuple[Outcome, ...]
    new: tuple[Numbered, ...]
    series: Mapping[str, Series]


def enrol(
    readings: Iterable[Reading], known: Mapping[str, frozenset[float]], series: Mapping[str, Series]
) -> Enrolment:
    """Number what is new, in the order offered.

    Args:
        readings: Of one town.
        known: The values already accepted under each identity; absent where there is none.
        series: Where each sensor stands; absent for one that never spoke.
    """
    several = {identity: set(found) for identity, found in known.items()}
    only: dict[
        str, float
    ] = {}  # A float each: thousands of sets of one would be the garbage collector's work.
    last_n = {sensor_id: each.last_n for sensor_id, each in series.items()}
    of_sensor: dict[str, list[Reading]] = {}
    outcomes: list[Outcome] = []
    new: list[Numbered] = []
    for reading in readings:
        identity, sensor_id, value = reading.identity, reading.sensor_id, reading.value
        seen = several.get(identity)
        if seen is None and identity in only:
            seen = several[identity] = {only[identity]}
        if seen is None:
            only[identity] = value
            outcomes.append(_ACCEPTED)
        elif value in seen:
            outcomes.append(_DUPLICATE)
            continue
        else:
            seen.add(value)
            outcomes.append(_CORRECTION)
        n = last_n[sensor_id] = last_n.get(sensor_id, 0) + 1
        new.append(Numbered(n, reading, seen is not None, identity))
        if sensor_id in of_sensor:
            of_sensor[sensor_id].append(reading)
        else:
            of_sensor[sensor_id] = [reading]
    moved = {
        sensor_id: series.get(sensor_id, _NOTHING).with_more(last_n[sensor_id], _mark(more), _newest(more))
        for sensor_id, more in of_sensor.items()
    }
    return Enrolment(tuple(outcomes), tuple(new), moved)


# Looked up once: an enumeration's members cost more to reach than the reading to number.
_ACCEPTED, _DUPLICATE, _CORRECTION = Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.CORRECTION
_NOTHING = Series()


def _mark(readings: Sequence[Reading]) -> int:
    """Return the sum of the fingerprints of one sensor's readings, nearly always of one property."""
    sensor_id, measured = readings[0].sensor_id, readings[0].measured
    others = [each for each in readings if each.measured is not measured]
    if not others:
        return fingerprint_of_many(sensor_id, measured, readings)
    return _mark(others) + _mark([each for each in readings if each.measured is measured])


def _newest(readings: Iterable[Reading]) -> datetime:
    return max([each.observed_at for each in readings])
