"""Who is to be told, derived from readings and folder alone. Pure.

Nothing is ever closed here: an oracle compares one run in which people close nothing, or is told of it by
giving the run in parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.support.oracle.fold import Silence, Verdict
from tests.support.oracle.folder import LevelRule, Town

HAZARD, NO_DATA = "hazard", "no_data"


@dataclass(slots=True)
class DueIncident:
    """An incident that must exist, at the level it must have reached.

    Attributes:
        rises: Level and time of each rise.
        place: Site of a silent one, else empty.
        sources: Levels at which its conditions stand, by rule and sensor.
        is_over: A silence that ended. Whether it was seen depends on when the late readings were sent.
    """

    kind: str
    hazard: str
    level: int
    opened_at: datetime
    zone_levels: dict[str, int] = field(default_factory=dict)
    place: str = ""
    rises: list[tuple[int, datetime]] = field(default_factory=list)
    sources: dict[tuple[str, str], int] = field(default_factory=dict)
    is_over: bool = False

    @property
    def zones(self) -> frozenset[str]:
        """The zones at the incident's own level: those that are warned."""
        return frozenset(zone for zone, level in self.zone_levels.items() if level >= self.level)

    @property
    def name(self) -> str:
        where = self.place or ",".join(sorted(self.zone_levels))
        return f"{self.kind} {self.hazard} {where} since {self.opened_at.isoformat()}"

    def must_exist(self, until: datetime | None, grace: timedelta) -> bool:
        """Say whether its absence is a loss; a silence has to last, and to be older than ``grace``."""
        if self.kind != NO_DATA:
            return True
        return not self.is_over and until is not None and self.opened_at + grace < until


@dataclass(frozen=True, slots=True)
class DuePage:
    """The first page of an incident: this phone, by this channel, at least once."""

    incident: str
    recipient_id: str
    phone: str
    channel: str


@dataclass(frozen=True, slots=True)
class DueWarning:
    """A warning that a resolution lets go out without anybody's answer."""

    incident: str
    hazard: str
    level: int
    zones: frozenset[str]


def incidents(verdicts: Iterable[Verdict], town: Town) -> list[DueIncident]:
    """Return the incidents that these verdicts make: one for sources that share a zone, and only rising."""
    rules = {(rule.id, rule.sensor_id): rule for rule in town.level_rules}
    made: list[DueIncident] = []
    for verdict in verdicts:
        key = (verdict.rule_id, verdict.sensor_id)
        rule = _edition(town, verdict) or rules[key]
        incident = next((one for one in made if key in one.sources), None) or _sharing(made, rule)
        if incident is None and verdict.after > 0:
            incident = DueIncident(HAZARD, rule.hazard, 0, verdict.observed_at)
            made.append(incident)
        if incident is not None and (verdict.after > 0 or key in incident.sources):
            _take_up(incident, key, rule, verdict)
    return made


def silent_sites(gaps: Sequence[Silence], town: Town) -> list[DueIncident]:
    """Return one incident per site all of whose watched sensors were silent at one time."""
    made: dict[tuple[str, str], DueIncident] = {}
    for rule in town.silence_rules:
        together: dict[str, set[str]] = {}
        for sensor_id in rule.sensors:
            together.setdefault(town.site_of.get(sensor_id, sensor_id), set()).add(sensor_id)
        for site, sensors in together.items():
            own = [gap for gap in gaps if gap.rule_id == rule.id and gap.sensor_id in sensors]
            opened_at = _all_silent([gap for gap in own if gap.until is None], sensors)
            is_over = opened_at is None
            opened_at = opened_at or _all_silent(own, sensors)
            if opened_at is not None:
                incident = DueIncident(
                    NO_DATA, rule.hazard, rule.level, opened_at, place=site, is_over=is_over
                )
                made.setdefault((rule.hazard, site), incident).rises.append((rule.level, opened_at))
    return list(made.values())


def pages(incident: DueIncident, town: Town, at: datetime) -> list[DuePage]:
    """Return whom the town's protocol rings at once when this incident opens, at the time ``at``."""
    protocol = town.protocol(incident.hazard, incident.kind) or town.protocol(incident.hazard, HAZARD)
    first = incident.rises[0][0] if incident.rises else incident.level
    plan = protocol.at(first) if protocol else None
    if plan is None:
        return []
    order = town.order(plan.roster, at)
    return [
        DuePage(incident.name, person, town.people[person], step.channel)
        for step in plan.steps
        if step.after_s == 0
        for person in (order if step.who == "all" else order[:1])
        if person in town.people
    ]


def tasks(incident: DueIncident, town: Town) -> list[DuePage]:
    """Return whom the plan of the incident's highest level gives a task: each phone that it names, by text.

    Lower plans are not looked at: two rises in one batch are one version, and one plan.
    """
    protocol = town.protocol(incident.hazard, incident.kind)
    plan = protocol.at(incident.level) if protocol else None
    named = plan.assignees if plan else ()
    return [DuePage(incident.name, who, town.people[who], "sms") for who in named if who in town.people]


def warnings(
    due: Iterable[DueIncident],
    town: Town,
    asked_at: Mapping[str, datetime | None],
    until: datetime | None,
) -> list[DueWarning]:
    """Return the warnings that a resolution releases by ``until`` when nobody answers.

    ``asked_at``: when triage last classified each incident that it has, by name; others are not looked at.
    """
    return [
        DueWarning(incident.name, incident.hazard, incident.level, incident.zones)
        for incident in due
        if until is not None
        and incident.name in asked_at
        and _is_released(incident, town, asked_at[incident.name], until)
    ]


def residents(zones: Iterable[str], town: Town) -> dict[str, str]:
    """Return id and phone of every resident of these zones."""
    wanted = set(zones)
    return {resident: phone for resident, phone in town.residents.items() if town.zone_of[resident] in wanted}


def _is_released(incident: DueIncident, town: Town, asked_at: datetime | None, until: datetime) -> bool:
    protocol = town.protocol(incident.hazard, incident.kind)
    if protocol is None or protocol.warn_from is None or incident.level < protocol.warn_from:
        return False
    sites = {
        town.site_of.get(sensor, sensor)
        for (_, sensor), level in incident.sources.items()
        if level >= incident.level
    }
    risen_at = max(incident.rises[-1][1], asked_at or incident.rises[-1][1])
    return any(
        release.fits(incident.hazard, incident.level, incident.zones, len(sites), risen_at)
        and risen_at + timedelta(seconds=release.after_s) < until
        for release in town.releases
    )


def _edition(town: Town, verdict: Verdict) -> LevelRule | None:
    return next(
        (
            rule
            for rule in town.level_rules
            if (rule.id, rule.sensor_id) == (verdict.rule_id, verdict.sensor_id)
            and rule.in_force(verdict.observed_at)
        ),
        None,
    )


def _sharing(made: Sequence[DueIncident], rule: LevelRule) -> DueIncident | None:
    sharing = [
        one for one in made if one.hazard == rule.hazard and not rule.zones.isdisjoint(one.zone_levels)
    ]
    return min(sharing, key=lambda one: (-one.level, one.opened_at), default=None)


def _take_up(incident: DueIncident, key: tuple[str, str], rule: LevelRule, verdict: Verdict) -> None:
    incident.sources[key] = verdict.after
    for zone in rule.zones:
        incident.zone_levels[zone] = max(incident.zone_levels.get(zone, 0), verdict.after)
    if verdict.after > incident.level:
        incident.level = verdict.after
        incident.rises.append((verdict.after, verdict.observed_at))


def _all_silent(gaps: Sequence[Silence], sensors: set[str]) -> datetime | None:
    """Return the first moment at which every sensor was silent, or ``None``."""
    for gap in sorted(gaps, key=lambda one: one.opened_at):
        at = gap.opened_at
        silent = {one.sensor_id for one in gaps if one.opened_at <= at and (not one.until or at < one.until)}
        if silent == sensors:
            return at
    return None
