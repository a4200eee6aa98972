"""Kind ``no_data``: a source that says nothing is no calm source."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar, Final, Literal

from schemas.municipality.base import AboveNormal, Slug, Span
from schemas.municipality.ground import Ground, Note, listed
from schemas.municipality.rules.row import Judged, RuleRow
from schemas.municipality.telling import Telling, span, text
from schemas.vocabulary import IncidentKind, Level

MAX_AFTER: Final = timedelta(days=7)
"""A silence that is found later than that found nobody in time."""


class SilenceRule(RuleRow):
    """A source that says nothing for ``after`` is ``no_data``: one task, and its condition stays.

    Attributes:
        no_data: ``site``: a site is silent when all of its sensors named here are; ``sensor``: each alone.
        sensors: Those that are watched; empty: every sensor whose values a rule of this hazard judges.
        level: Of the incident that asks for a person.
    """

    incident_kind: ClassVar = IncidentKind.NO_DATA

    kind: Literal["no_data"]
    no_data: Literal["site", "sensor"] = "site"
    sensors: tuple[Slug, ...] = ()
    after: Span
    level: AboveNormal = Level.WATCH

    def judges(self) -> tuple[Judged, ...]:
        return ()

    def places(self) -> tuple[str, ...]:
        return ()

    def reached(self) -> tuple[Level, ...]:
        return (self.level,)

    def watched(self, ground: Ground) -> tuple[str, ...]:
        """Return the sensors whose silence it speaks of."""
        return self.sensors or ground.judged.get(self.hazard, ())

    def faults(self, ground: Ground) -> Iterator[Note]:
        yield from listed("sensors", self.sensors, ground.sensors, "sensor of sensors.csv")
        if self.after <= timedelta(0):
            yield Note(("after",), "must be longer than nothing; expected a duration such as PT90M")
        elif self.after > MAX_AFTER:
            yield Note(("after",), f"is {self.after.days} days; at most {MAX_AFTER.days}, or it tells nobody")
        else:
            for sensor_id, every_s in self._rhythms(ground):
                if self.after <= timedelta(seconds=every_s):
                    reason = f"is not longer than the {every_s} s between two readings of sensor {sensor_id}"
                    yield Note(("after",), reason)
        if ground.is_whole and not self.watched(ground):
            reason = f"names no sensor, and no rule judges one for {self.hazard.value}: nothing is watched"
            yield Note(("sensors",), reason)

    def remarks(self, ground: Ground) -> Iterator[Note]:
        for sensor_id, every_s in self._rhythms(ground):
            if self.after < timedelta(seconds=2 * every_s):
                reason = (
                    f"is shorter than two readings of sensor {sensor_id}, {every_s} s apart: one that is lost"
                    " is silence already"
                )
                yield Note(("after",), reason)

    def tell(self, telling: Telling) -> Iterator[str]:
        watched = self.sensors or telling.judged.get(self.hazard, ())
        yield text("no_data.watches", sensors=telling.at_sites(watched))
        yield text(f"no_data.{self.no_data}", after=span(self.after))
        yield text("no_data.keeps")
        yield text("no_data.level", level=telling.level(self.level))

    def _rhythms(self, ground: Ground) -> Iterator[tuple[str, int]]:
        for sensor_id in self.watched(ground):
            if sensor_id in ground.sensors:
                yield sensor_id, ground.sensors[sensor_id].expected_every_s
