"""Which offered readings are new, which repeat, which correct; the number of each in its series. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

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
    """

    last_n: int = 0
    fingerprint: str = ""

    def with_one_more(self, reading: Reading) -> Series:
        mark = fingerprint_of(reading.sensor_id, reading.measured.value, reading.observed_at, reading.value)
        return Series(self.last_n + 1, add(self.fingerprint, mark))


@dataclass(frozen=True, slots=True)
class Numbered:
    """A reading that enters the series."""

    n: int
    reading: Reading
    correction: bool


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
    standing = dict(series)
    outcomes: list[Outcome] = []
    new: list[Numbered] = []
    for reading in readings:
        seen = values.setdefault(reading.identity, set())
        if reading.value in seen:
            outcomes.append(Outcome.DUPLICATE)
            continue
        after = standing.get(reading.sensor_id, Series()).with_one_more(reading)
        standing[reading.sensor_id] = after
        new.append(Numbered(after.last_n, reading, correction=bool(seen)))
        outcomes.append(Outcome.CORRECTION if seen else Outcome.ACCEPTED)
        seen.add(reading.value)
    return Enrolment(tuple(outcomes), tuple(new), standing)
