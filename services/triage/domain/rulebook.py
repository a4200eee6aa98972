"""The town's rules, arranged for folding: which rows are in force for a sensor at a moment. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from schemas.municipality import Municipality
from schemas.municipality.rulebook import LevelRule, SilenceRule
from schemas.municipality.town import Operator
from services.triage.domain.level import Ladder, Row
from services.triage.domain.places import Places, places_of


@dataclass(frozen=True, slots=True)
class Levels:
    """One edition of a level rule."""

    id: str
    hazard: str
    sensor_id: str
    unit: str
    zones: tuple[str, ...]
    ladder: Ladder

    @property
    def lowest(self) -> float:
        return self.ladder.rows[0].raise_at


@dataclass(frozen=True, slots=True)
class Silence:
    """One edition of a silence rule. ``sensors`` are those it watches."""

    id: str
    hazard: str
    per_site: bool
    sensors: tuple[str, ...]
    after: timedelta
    level: int
    valid_from: datetime
    valid_to: datetime | None

    def in_force(self, at: datetime) -> bool:
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)


@dataclass(frozen=True, slots=True)
class SensorRules:
    """What applies to one sensor.

    Attributes:
        property: What rules read of it; another property of the same sensor decides nothing.
        starts: Moments at which another set of rules comes into force; ``eras[i]`` holds from
            ``starts[i - 1]`` on, ``eras[0]`` before all.
        by_id: Any edition of each rule, for what does not change between them.
        lateness: How long after its time a reading may still be folded into its place.
    """

    sensor_id: str
    site: str
    property: str
    starts: tuple[datetime, ...]
    eras: tuple[tuple[Levels, ...], ...]
    by_id: Mapping[str, Levels]
    lateness: timedelta
    silences: tuple[Silence, ...]

    def at(self, moment: datetime) -> tuple[Levels, ...]:
        """Return the level rules in force at ``moment``."""
        return self.eras[bisect_right(self.starts, moment)]


@dataclass(frozen=True, slots=True)
class Book:
    """All that triage needs to know of one municipality."""

    municipality: str
    version: str
    time_zone: ZoneInfo
    labels: tuple[str, ...]
    sensors: Mapping[str, SensorRules]
    levels: Mapping[str, Levels]
    silences: Mapping[str, Silence]
    zone_names: Mapping[str, str]
    operators: Mapping[str, Operator] = field(default_factory=dict)
    places: Places = field(default_factory=Places)

    def site_of(self, sensor_id: str) -> str:
        rules = self.sensors.get(sensor_id)
        return rules.site if rules else sensor_id

    def edition(self, rule_id: str, sensor_id: str, at: datetime) -> Levels | None:
        """Return the edition of a level rule in force at ``at``, else any edition, else None."""
        rules = self.sensors.get(sensor_id)
        if rules is None:
            return self.levels.get(rule_id)
        return next((rule for rule in rules.at(at) if rule.id == rule_id), self.levels.get(rule_id))

    def local(self, moment: datetime) -> datetime:
        return moment.astimezone(self.time_zone)


def book_of(town: Municipality) -> Book:
    """Arrange a municipality's folder for the engine."""
    silences = [_silence(town, rule) for rule in town.rulebook.silence_rules]
    rules = town.rulebook.level_rules
    of_sensor: dict[str, list[LevelRule]] = defaultdict(list)
    for rule in rules:
        of_sensor[rule.sensor].append(rule)
    watched = [(silence, frozenset(silence.sensors)) for silence in silences]
    return Book(
        municipality=town.id,
        version=town.rulebook_version,
        time_zone=town.zone_info,
        labels=tuple(town.town.level_labels),
        sensors={
            sensor.sensor_id: _sensor_rules(
                sensor.sensor_id,
                sensor.site,
                sensor.property.value,
                of_sensor[sensor.sensor_id],
                tuple(silence for silence, sensors in watched if sensor.sensor_id in sensors),
            )
            for sensor in town.sensors
        },
        levels={rule.id: _levels(rule) for rule in rules},
        silences={rule.id: rule for rule in silences},
        zone_names={zone.id: zone.name for zone in town.zones},
        operators=town.operator_of,
        places=places_of(town.zones),
    )


def _levels(rule: LevelRule) -> Levels:
    rows = [Row(int(row.level), row.raise_at, row.clear_below) for row in rule.levels]
    ladder = _ladder(tuple(rows), rule.confirm, int(rule.valid_from.timestamp()))
    return Levels(rule.id, rule.hazard.value, rule.sensor, rule.unit, tuple(rule.zones), ladder)


@lru_cache(maxsize=4096)
def _ladder(rows: tuple[Row, ...], confirm: int, edition: int) -> Ladder:
    """Return one ladder for all rules of the same rows: what one gauge was answered is known for the next."""
    return Ladder(rows, confirm, edition)


def _silence(town: Municipality, rule: SilenceRule) -> Silence:
    return Silence(
        id=rule.id,
        hazard=rule.hazard.value,
        per_site=rule.no_data == "site",
        sensors=town.rulebook.watched_by(rule),
        after=rule.after,
        level=int(rule.level),
        valid_from=rule.valid_from,
        valid_to=rule.valid_to,
    )


def _sensor_rules(
    sensor_id: str, site: str, prop: str, rules: list[LevelRule], silences: tuple[Silence, ...]
) -> SensorRules:
    read = [(rule, _levels(rule)) for rule in rules if rule.property.value == prop]
    starts = sorted(
        {moment for rule, _ in read for moment in (rule.valid_from, rule.valid_to) if moment is not None}
    )
    eras = [tuple[Levels, ...]()]
    eras += [tuple(levels for rule, levels in read if rule.in_force(start)) for start in starts]
    return SensorRules(
        sensor_id=sensor_id,
        site=site,
        property=prop,
        starts=tuple(starts),
        eras=tuple(eras),
        by_id={levels.id: levels for _, levels in read},
        lateness=timedelta(seconds=max((rule.lateness_s for rule, _ in read), default=900)),
        silences=silences,
    )
