"""Take recorded readings in as ingest's doors would: read, judge, tell repeats from corrections, number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from municipio.rows import LISTED_MOST, BrokenRow, Recorded
from schemas.municipality import Municipality
from services.ingest.domain import normalise as judged
from services.ingest.domain.sensors import Catalogue, KnownSensor
from services.ingest.domain.series import Numbered, Outcome, Series, enrol
from services.ingest.domain.units import CANONICALLY, Conversion, conversion
from services.triage.domain.inputs import Reading

_ANY_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Taken:
    """What became of the readings offered; ``rejected`` lists the first hundred."""

    readings: int = 0
    duplicates: int = 0
    corrections: int = 0
    quarantined: int = 0
    rejected_count: int = 0
    rejected: list[BrokenRow] = field(default_factory=list)

    def refuse(self, row: Recorded, fault: judged.Fault) -> None:
        self.rejected_count += 1
        if len(self.rejected) < LISTED_MOST:
            self.rejected.append(BrokenRow(row.file, row.row, f"{fault.field}: {fault.detail}".strip(": ")))


@dataclass(frozen=True, slots=True)
class Door:
    """What becomes of the plain readings of one name: refused, unknown to the town, or a sensor's.

    ``change`` brings a value into the canonical unit, where it is not in it.
    """

    is_open: bool
    sensor: KnownSensor | None = None
    change: Conversion | None = None


class Intake:
    """One town's door.

    ``taken`` is counted on; ``is_record``: the readings were accepted by a running system, each once, and
    are only numbered again; ``remembers``: a reading may be told again at a later moment.
    """

    def __init__(self, town: Municipality, *, is_record: bool = False, remembers: bool = True) -> None:
        self.taken = Taken()
        self._town = town.id
        self._sensors = Catalogue.of({town.id: [KnownSensor.listed(row) for row in town.sensors]})
        self._values: dict[str, frozenset[float]] = {}
        self._series: dict[str, Series] = {}
        self._is_record = is_record
        self._remembers = remembers

    def take(self, at: datetime, rows: Sequence[Recorded]) -> list[Reading]:
        """Return what triage is given of the rows that arrive at one moment."""
        offered = [reading for row in rows if (reading := self._judge(row)) is not None]
        self.taken.readings += len(rows)
        return [_as_triage_reads(each, at) for each in self._numbered(offered)]

    def sensor(self, sensor_id: str) -> KnownSensor:
        """Return a sensor of the town's list."""
        return self._sensors.towns[self._town][sensor_id]

    def door(self, sensor_id: str, measured: str, unit: str) -> Door:
        """Say what ``take`` does with readings of this name, whose value and time are plain."""
        said = judged.Offered(sensor_id, measured, 0.0, unit, _ANY_TIME.isoformat())
        reading = judged.normalise_offered(said, _ANY_TIME)
        if isinstance(reading, judged.Fault):
            return Door(is_open=False)
        sensor = self._sensors.find(self._town, sensor_id)
        change = conversion(reading.measured, unit)
        is_known = sensor is not None and sensor.measured is reading.measured
        return Door(True, sensor if is_known else None, None if change == CANONICALLY else change)

    def take_plain(self, at: datetime, sensor: KnownSensor, value: float) -> Reading:
        """Return what triage is given of a plain reading, the only one of its sensor at this moment."""
        reading = judged.examine(judged.Reading(sensor.sensor_id, sensor.measured, value, at), sensor)
        n = self.pass_over(sensor.sensor_id, 1, at)
        return _as_triage_reads(Numbered(n, reading, False, ""), at)

    def pass_over(self, sensor_id: str, count: int, newest: datetime) -> int:
        """Number plain readings of a sensor, in the order of their times; return the number of the first.

        Their fingerprint is left out: it proves to a door that nothing was lost, and nobody asks here.
        """
        self.taken.readings += count
        before = self._series.get(sensor_id, Series())
        self._series[sensor_id] = Series(before.last_n + count, before.fingerprint, newest)
        return before.last_n + 1

    def pass_by(self, count: int) -> None:
        """Count readings that the town does not know."""
        self.taken.readings += count
        self.taken.quarantined += count

    def _judge(self, row: Recorded) -> judged.Reading | None:
        reading = judged.normalise_offered(judged.Offered(**row.body), row.at)
        if isinstance(reading, judged.Fault):
            self.taken.refuse(row, reading)
            return None
        sensor = self._sensors.find(self._town, reading.sensor_id)
        if sensor is None or sensor.measured is not reading.measured:
            self.taken.quarantined += 1
            return None
        return judged.examine(reading, sensor)

    def _numbered(self, offered: Sequence[judged.Reading]) -> Sequence[Numbered]:
        if self._is_record:
            return [self._next(reading) for reading in offered]
        identities = {reading.identity for reading in offered}
        known = {each: self._values[each] for each in identities if each in self._values}
        sensors = {reading.sensor_id for reading in offered}
        series = {each: self._series[each] for each in sensors if each in self._series}
        done = enrol(offered, known, series)
        self._series.update(done.series)
        for each in done.new if self._remembers else ():
            same = self._values.get(each.reading.identity, frozenset())
            self._values[each.reading.identity] = same | {each.reading.value}
        self.taken.duplicates += done.outcomes.count(Outcome.DUPLICATE)
        self.taken.corrections += done.outcomes.count(Outcome.CORRECTION)
        return done.new

    def _next(self, reading: judged.Reading) -> Numbered:
        after = self._series.get(reading.sensor_id, Series()).with_one_more(reading)
        self._series[reading.sensor_id] = after
        return Numbered(after.last_n, reading, False, reading.identity)


def _as_triage_reads(each: Numbered, received_at: datetime) -> Reading:
    reading = each.reading
    return Reading(
        n=each.n,
        sensor_id=reading.sensor_id,
        property=reading.measured.value,
        value=reading.value,
        unit=reading.unit,
        observed_at=reading.observed_at,
        received_at=received_at,
        quality=reading.quality.value,
        correction=each.correction,
    )
