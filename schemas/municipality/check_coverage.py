"""Which sensors nobody watches and which zones nobody covers: holes between rules that are each right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from schemas.municipality.check_rules import said
from schemas.municipality.datum import holding
from schemas.municipality.draft import Draft
from schemas.municipality.errors import FolderError
from schemas.municipality.ground import Ground
from schemas.municipality.rulebook import Rule, SilenceRule
from schemas.vocabulary import Hazard, IncidentKind, Level

Ends = dict[str, datetime | None]
"""Until when the last rule of a sensor or zone holds; None: no end is written."""


def remark_coverage(draft: Draft, ground: Ground) -> Iterator[FolderError]:
    judged, covered, watched = Ends(), Ends(), Ends()
    for placed in draft.rules:
        rule = placed.value
        until = holding(rule, ground.sensors).until
        _extend(judged, (each.sensor for each in rule.judges()), until)
        _extend(covered, rule.places(), until)
        if isinstance(rule, SilenceRule):
            _extend(watched, rule.watched(ground), until)
    for sensor in draft.sensors:
        name = sensor.value.sensor_id
        if (end := _end(draft, judged, name)) is not None:
            yield sensor.warning(("sensor_id",), f"no rule judges {name}{end}")
        elif (end := _end(draft, watched, name)) is not None:
            reason = f"no rule watches {name}{end}: nobody would notice its silence"
            yield sensor.warning(("sensor_id",), reason)
    for zone in draft.zones:
        name = zone.value.properties.id
        if (end := _end(draft, covered, name)) is not None:
            yield zone.warning(("properties", "id"), f"no rule covers {name}{end}: nothing warns it")
    yield from _never_warned(draft, ground)


def _extend(ends: Ends, names: Iterable[str], until: datetime | None) -> None:
    for name in names:
        known = ends.get(name, until)
        ends[name] = None if known is None or until is None else max(known, until)


def _end(draft: Draft, ends: Ends, name: str) -> str | None:
    """Return since when a name is left alone, in words; None when it never is."""
    if name not in ends:
        return ""
    until = ends[name]
    return None if until is None else f" from {said(draft, until)} on"


def _never_warned(draft: Draft, ground: Ground) -> Iterator[FolderError]:
    """Find zones that rules speak of, and never bring to the level from which residents are warned."""
    highest: dict[tuple[str, Hazard], Level] = {}
    for placed in draft.rules:
        rule: Rule = placed.value
        for zone in rule.places():
            key = (zone, rule.hazard)
            highest[key] = max(highest.get(key, Level.NORMAL), *rule.reached())
    lines = {zone.value.properties.id: zone for zone in draft.zones}
    for (zone, hazard), level in highest.items():
        protocol = ground.protocols.get((hazard, IncidentKind.HAZARD))
        plan = None if protocol is None else protocol.warning
        if plan is not None and level < plan.from_level and zone in lines:
            reason = (
                f"no rule brings {zone} to level {int(plan.from_level)} of {hazard.value}, from which"
                f" residents are warned; the highest is {int(level)}"
            )
            yield lines[zone].warning(("properties", "id"), reason)
