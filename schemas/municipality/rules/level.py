"""Kind ``level``: a sensor's value stands for a level, with hysteresis and readings that must agree."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from schemas.municipality.base import AboveNormal, KnownProperty, Mark, Slug, Written
from schemas.municipality.ground import Ground, Note, listed
from schemas.municipality.places import Sensor
from schemas.municipality.rules.row import Judged, RuleRow
from schemas.municipality.telling import Telling, amount, span, text
from schemas.vocabulary import IncidentKind, Level

DEFAULT_LATENESS_S: Final = 900
MAX_CONFIRMING_S: Final = 86_400
"""Readings that agree only after a day found nobody in time."""


class LevelRow(Written):
    """One level of a rule.

    Attributes:
        raise_at: At or above this the level is reached, in the rule's unit.
        clear_below: Below this it is left. Lower than ``raise_at``, so a river hovering at the limit does
            not ring every phone twice.
    """

    level: AboveNormal
    raise_at: float
    clear_below: float


class LevelRule(RuleRow):
    """A sensor's value stands for a level in some zones.

    Attributes:
        confirm: Consecutive readings that must agree before the level moves.
        lateness_s: How long after its time a reading may still arrive before the verdict is settled.
        levels: In ascending order.
    """

    incident_kind: ClassVar = IncidentKind.HAZARD

    kind: Literal["level"]
    sensor: Slug
    property: KnownProperty
    unit: Annotated[str, Field(min_length=1, max_length=16)]
    datum: Mark = ""
    zones: Annotated[tuple[Slug, ...], Field(min_length=1)]
    confirm: int = 1
    lateness_s: Annotated[int, Field(ge=0, le=86_400)] = DEFAULT_LATENESS_S
    levels: Annotated[tuple[LevelRow, ...], Field(min_length=1, max_length=4)]

    def judges(self) -> tuple[Judged, ...]:
        return (Judged(self.sensor, self.datum, ("datum",)),)

    def places(self) -> tuple[str, ...]:
        return self.zones

    def reached(self) -> tuple[Level, ...]:
        return tuple(row.level for row in self.levels)

    def faults(self, ground: Ground) -> Iterator[Note]:
        yield from self._ladder()
        yield from listed("zones", self.zones, ground.zones, "zone of zones.geojson")
        if self.confirm < 1:
            yield Note(("confirm",), f"must be at least 1 reading (found {self.confirm})")
        sensor = ground.sensors.get(self.sensor)
        if sensor is None:
            yield Note(("sensor",), f"{self.sensor} is not a sensor of sensors.csv")
            return
        yield from self._source(sensor)
        if self._confirming_s(sensor) > MAX_CONFIRMING_S:
            reason = (
                f"is never reached in time: {self.confirm} readings of sensor {self.sensor} take"
                f" {self._confirming_s(sensor)} s; at most {MAX_CONFIRMING_S} s"
            )
            yield Note(("confirm",), reason)

    def remarks(self, ground: Ground) -> Iterator[Note]:
        taken_s = self._confirming_s(ground.sensors[self.sensor])
        if taken_s > self.lateness_s:
            reason = (
                f"{self.confirm} readings of sensor {self.sensor} take {taken_s} s, longer than lateness_s"
                f" {self.lateness_s}: a reading that comes late can no longer complete them"
            )
            yield Note(("confirm",), reason)

    def tell(self, telling: Telling) -> Iterator[str]:
        yield telling.source(self.sensor, self.zones)
        yield telling.measure(self.sensor, self.unit, self.datum)
        for row in self.levels:
            yield text(
                "level.row",
                level=telling.level(row.level),
                raise_at=amount(row.raise_at, self.unit),
                clear_below=amount(row.clear_below, self.unit),
            )
        yield text("level.between")
        if self.confirm > 1:
            waits = timedelta(seconds=self._confirming_s(telling.sensors[self.sensor]))
            yield text("level.confirm", confirm=self.confirm, waits=span(waits))
        else:
            yield text("level.at_once")
        yield text("level.late", lateness=span(timedelta(seconds=self.lateness_s)))

    def _confirming_s(self, sensor: Sensor) -> int:
        """Return the seconds from the first of the readings that must agree to the last."""
        return (self.confirm - 1) * sensor.expected_every_s

    def _ladder(self) -> Iterator[Note]:
        before: LevelRow | None = None
        for index, row in enumerate(self.levels):
            here = ("levels", index)
            if row.clear_below >= row.raise_at:
                reason = (
                    f"{row.clear_below} must be lower than raise_at {row.raise_at}, or the river rings twice"
                )
                yield Note((*here, "clear_below"), reason)
            if before is not None and row.level <= before.level:
                reason = f"levels overlap: {row.level} follows {before.level}; expected each once, ascending"
                yield Note((*here, "level"), reason)
            if before is not None and row.raise_at <= before.raise_at:
                reason = f"{row.raise_at} must be above {before.raise_at}, the limit of level {before.level}"
                yield Note((*here, "raise_at"), reason)
            if before is not None and row.clear_below <= before.clear_below:
                reason = (
                    f"{row.clear_below} must be above {before.clear_below},"
                    f" where level {before.level} is left"
                )
                yield Note((*here, "clear_below"), reason)
            before = row

    def _source(self, sensor: Sensor) -> Iterator[Note]:
        for name in ("property", "unit"):
            ours, theirs = getattr(self, name), getattr(sensor, name)
            if ours != theirs:
                reason = f"{str(ours)!r} is not the {name} of sensor {self.sensor}: expected {str(theirs)!r}"
                yield Note((name,), reason)
        limits = f"sensor {self.sensor} counts as plausible only {sensor.min_plausible} to"
        limits += f" {sensor.max_plausible}"
        for index, row in enumerate(self.levels):
            if not sensor.min_plausible <= row.raise_at <= sensor.max_plausible:
                yield Note(("levels", index, "raise_at"), f"{row.raise_at} is never reached: {limits}")
            elif row.clear_below <= sensor.min_plausible:
                yield Note(("levels", index, "clear_below"), f"{row.clear_below} is never left: {limits}")
