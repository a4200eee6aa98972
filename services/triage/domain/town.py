"""Stage 2: decide over the whole town when a condition moved or a sensor fell silent. Pure."""

from __future__ import annotations

from schemas.events.base import Reason
from services.triage.domain.changes import ConditionMoved, SensorHeard, SensorSilent, Signal
from services.triage.domain.incident import (
    HAZARD,
    News,
    corroboration,
    incident_id_of,
    news_of,
    raise_to,
    zones_at_level,
)
from services.triage.domain.reasons import amount, label, moment, reason, zones
from services.triage.domain.rulebook import Book, Levels
from services.triage.domain.silent_site import join_or_open, site_heard
from services.triage.domain.state import (
    Condition,
    Incident,
    TownState,
    condition_key,
    silent_since,
)


def decide(book: Book, town: TownState, signal: Signal) -> list[News]:
    """Take up one signal of stage 1; the town's state is changed in place."""
    if isinstance(signal, ConditionMoved):
        return _condition_moved(book, town, signal)
    if isinstance(signal, SensorSilent):
        return _sensor_silent(book, town, signal)
    return _sensor_heard(book, town, signal)


def _condition_moved(book: Book, town: TownState, signal: ConditionMoved) -> list[News]:
    key = condition_key(signal.rule_id, signal.sensor_id)
    condition = town.conditions.get(key)
    if condition is None:
        condition = town.conditions[key] = Condition(signal.rule_id, signal.sensor_id, 0)
    condition.level, condition.value = signal.level, signal.value
    condition.observed_at, condition.received_at = signal.observed_at, signal.received_at
    condition.silent = silent_since(town, signal.sensor_id) is not None
    rule = book.edition(signal.rule_id, signal.sensor_id, signal.observed_at)
    own = _own_incident(town, condition)
    incident = own or _sharing(town, rule)
    news: list[News] = []
    if rule is not None and incident is None and signal.level > 0:
        news.append(_open(book, town, rule, condition, signal))
    elif rule is not None and incident is not None:
        news.extend(_absorb(book, town, incident, rule, condition, signal))
    if condition.level == 0 and own is None:  # At normal, no incident refers to it: nothing to remember.
        del town.conditions[key]
    return news


def _own_incident(town: TownState, condition: Condition) -> Incident | None:
    """Return the open incident that stands on a condition."""
    if condition.incident_id is not None:
        return town.incidents.get(condition.incident_id)
    key = condition.key  # Kept before conditions knew their incident.
    return next((one for one in town.incidents.values() if one.kind == HAZARD and key in one.sources), None)


def _sharing(town: TownState, rule: Levels | None) -> Incident | None:
    """Return the open incident of a rule's hazard that shares a zone: the highest, then the oldest."""
    if rule is None:
        return None
    sharing = [
        incident
        for incident in town.incidents.values()
        if incident.kind == HAZARD
        and incident.hazard == rule.hazard
        and not incident.zone_levels.keys().isdisjoint(rule.zones)
    ]
    return min(sharing, key=lambda one: (-one.level, one.opened_at, one.incident_id), default=None)


def _open(book: Book, town: TownState, rule: Levels, condition: Condition, signal: ConditionMoved) -> News:
    assert condition.observed_at is not None and condition.received_at is not None  # noqa: S101, PT018 - a reading made it
    place = ",".join(sorted(rule.zones))
    incident = Incident(
        incident_id=incident_id_of(town, rule.id, place, condition.observed_at),
        kind=HAZARD,
        hazard=rule.hazard,
        rule_id=rule.id,
        opened_at=condition.received_at,
        observed_at=condition.observed_at,
        received_at=condition.received_at,
        place=place,
        sources=[condition.key],
    )
    town.incidents[incident.incident_id] = incident
    condition.incident_id = incident.incident_id
    raise_to(incident, rule.zones, condition.level)
    why = reason(
        "incident.opened",
        zones=zones(book, sorted(rule.zones)),
        sensor=condition.sensor_id,
        level=condition.level,
        label=label(book, condition.level),
    )
    reasons = (why, *_late(book, rule, signal), _measured(book, rule, condition))
    return news_of(
        book,
        incident,
        reasons,
        at=condition.received_at,
        previous_level=0,
        is_material=True,
        cause=condition,
    )


def _absorb(
    book: Book,
    town: TownState,
    incident: Incident,
    rule: Levels,
    condition: Condition,
    signal: ConditionMoved,
) -> list[News]:
    """Let a condition that moved act on its incident: raise, widen, corroborate; never lower."""
    is_new = condition.key not in incident.sources
    if is_new and condition.level == 0:
        return []
    before, zones_before = incident.level, zones_at_level(incident)
    if is_new:
        incident.sources.append(condition.key)
        condition.incident_id = incident.incident_id
    set_aside = incident.overruled.get(condition.key, 0)
    if condition.level < set_aside:
        incident.overruled[condition.key] = condition.level
    if condition.level > set_aside:
        incident.overruled.pop(condition.key, None)
        raise_to(incident, rule.zones, condition.level)
    is_material = (incident.level, zones_at_level(incident)) != (before, zones_before)
    reasons = (
        _why_absorbed(book, town, incident, condition, before=before),
        *_late(book, rule, signal),
        _measured(book, rule, condition),
    )
    assert condition.received_at is not None  # noqa: S101 - a reading moved it
    return [
        news_of(
            book,
            incident,
            reasons,
            at=condition.received_at,
            previous_level=before,
            is_material=is_material,
            cause=condition,
        )
    ]


def _why_absorbed(
    book: Book, town: TownState, incident: Incident, condition: Condition, *, before: int
) -> Reason:
    words = {"sensor": condition.sensor_id, "level": condition.level, "label": label(book, condition.level)}
    in_zones = zones(book, zones_at_level(incident))
    if incident.level > before:
        return reason("incident.raised", zones=in_zones, before=before, **words)
    if condition.level != incident.level:
        code = "incident.held" if condition.level < incident.level else "incident.overruled"
        return reason(code, before=incident.level, **words)
    sites = corroboration(book, town, incident)
    if sites > 1:
        return reason("incident.corroborated", count=sites, **words)
    return reason("incident.widened", zones=in_zones, **words)


def _late(book: Book, rule: Levels, signal: ConditionMoved) -> tuple[Reason, ...]:
    """Say that it was a late reading that raised, and when it came."""
    if not signal.revision:
        return ()
    why = reason(
        "late.raised",
        sensor=signal.sensor_id,
        value=amount(signal.value, rule.unit),
        at=moment(book, signal.observed_at),
        received=moment(book, signal.received_at),
        level=signal.level,
        label=label(book, signal.level),
    )
    return (why,)


def _measured(book: Book, rule: Levels, condition: Condition) -> Reason:
    """Say what was measured, against which threshold and when."""
    row = max(
        (row for row in rule.ladder.rows if row.level <= condition.level),
        key=lambda row: row.level,
        default=None,
    )
    assert condition.value is not None and condition.observed_at is not None  # noqa: S101, PT018 - a reading moved it
    words = {
        "sensor": condition.sensor_id,
        "value": amount(condition.value, rule.unit),
        "at": moment(book, condition.observed_at),
        "level": condition.level,
        "label": label(book, condition.level),
    }
    if row is None or condition.value < row.raise_at:
        first = row or rule.ladder.rows[0]
        return reason("level.stands", threshold=amount(first.clear_below, rule.unit), **words)
    return reason("level.raised", threshold=amount(row.raise_at, rule.unit), **words)


def _sensor_silent(book: Book, town: TownState, signal: SensorSilent) -> list[News]:
    town.silent.setdefault(signal.rule_id, {})[signal.sensor_id] = signal.since
    news = _mark(book, town, signal, "silence.source_lost", is_silent=True)
    rule = book.silences.get(signal.rule_id)
    if rule is not None:
        news.extend(join_or_open(book, town, rule, signal))
    return news


def _sensor_heard(book: Book, town: TownState, signal: SensorHeard) -> list[News]:
    town.heard.add(signal.sensor_id)
    was_silent = [rule_id for rule_id, sensors in town.silent.items() if sensors.pop(signal.sensor_id, None)]
    for rule_id in was_silent:
        if not town.silent[rule_id]:
            del town.silent[rule_id]
    if not was_silent:
        return []
    news = _mark(book, town, signal, "silence.source_back", is_silent=False)
    news.extend(site_heard(book, town, signal))
    return news


def _mark(
    book: Book, town: TownState, signal: SensorSilent | SensorHeard, code: str, *, is_silent: bool
) -> list[News]:
    """Mark the sensor's conditions; every hazard incident that stands on one gets a new version."""
    keys = set()
    for key, condition in town.conditions.items():
        if condition.sensor_id == signal.sensor_id and condition.silent != is_silent:
            condition.silent = is_silent
            if signal.value is not None:
                condition.value, condition.received_at = signal.value, signal.received_at
                condition.observed_at = (
                    signal.since if isinstance(signal, SensorSilent) else signal.observed_at
                )
            keys.add(key)
    news = []
    for incident in town.incidents.values():
        if incident.kind != HAZARD or keys.isdisjoint(incident.sources):
            continue
        why = reason(code, sensor=signal.sensor_id, level=incident.level, label=label(book, incident.level))
        news.append(
            news_of(
                book,
                incident,
                (why,),
                at=signal.at,
                previous_level=incident.level,
                is_material=False,
            )
        )
    return news
