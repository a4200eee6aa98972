"""Which offered readings are new, which repeat, which correct; the number of each in its series. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from schemas.fingerprint import add, fingerprint_of
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


class Numbered(NamedTuple):
    """A reading that enters the series; ``identity`` is the reading's own."""

    n: int
    reading: Reading
    correction: bool
    identity: str


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a town's batch comes to: an outcome per reading, what to store, where the series then stand."""

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
    values = {identity: set(found) for identity, found in known.items()}
    last_n = {sensor_id: each.last_n for sensor_id, each in series.items()}
    marks: dict[str, int] = {}
    newest: dict[str, datetime] = {}
    outcomes: list[Outcome] = []
    new: list[Numbered] = []
    for reading in readings:
        identity, sensor_id, value = reading.identity, reading.sensor_id, reading.value
        observed_at = reading.observed_at
        seen = values.get(identity)
        if seen is None:
            values[identity] = {value}
        elif value in seen:
            outcomes.append(Outcome.DUPLICATE)
            continue
        else:
            seen.add(value)
        n = last_n[sensor_id] = last_n.get(sensor_id, 0) + 1
        marks[sensor_id] = marks.get(sensor_id, 0) + fingerprint_of(
            sensor_id, reading.measured, observed_at, value
        )
        if sensor_id not in newest or newest[sensor_id] < observed_at:
            newest[sensor_id] = observed_at
        new.append(Numbered(n, reading, seen is not None, identity))
        outcomes.append(Outcome.ACCEPTED if seen is None else Outcome.CORRECTION)
    moved = {
        sensor_id: series.get(sensor_id, Series()).with_more(last_n[sensor_id], mark, newest[sensor_id])
        for sensor_id, mark in marks.items()
    }
    return Enrolment(tuple(outcomes), tuple(new), {**series, **moved})
