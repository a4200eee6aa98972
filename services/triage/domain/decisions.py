"""Apply or refuse what a person decided about an incident: raise, lower, close. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from schemas.events.base import Reason
from schemas.municipality.town import Role
from schemas.vocabulary import Ruling, Verb
from services.triage.domain.changes import Change
from services.triage.domain.incident import HAZARD, deciding, news_of, publish
from services.triage.domain.inputs import Decision
from services.triage.domain.reasons import label, moment, reason, word
from services.triage.domain.rulebook import Book
from services.triage.domain.state import (
    Condition,
    Incident,
    TownState,
    close_incident,
    condition_key,
    silent_since,
)

MAY_DECIDE: Final = frozenset({Role.COORDINATOR, Role.AUTHORISER})
LEVELS: Final = range(5)


@dataclass(frozen=True, slots=True)
class Ruled:
    """What became of a decision. ``changes`` holds the incident's new version when it was applied."""

    ruling: Ruling
    reasons: tuple[Reason, ...]
    version: int | None = None
    changes: tuple[Change, ...] = field(default=())


def rule_on(book: Book, town: TownState, decision: Decision) -> Ruled:
    """Apply a decision to the town's state, or refuse it with the reason. An unknown incident is refused."""
    incident = town.incidents.get(decision.incident_id)
    if incident is None:
        return _refused(reason("decision.unknown_incident", incident=decision.incident_id))
    refusal = _authority(book, decision) or _staleness(incident, decision)
    if refusal is not None:
        return _refused(refusal, incident.version)
    apply = _VERBS.get(decision.verb)
    if apply is None:
        return _refused(reason("decision.wrong_verb"), incident.version)
    return apply(book, town, incident, decision)


def _authority(book: Book, decision: Decision) -> Reason | None:
    if decision.simulated:
        return None
    operator = book.operators.get(decision.operator_id)
    if operator is None:
        return reason("decision.no_operator", operator=decision.operator_id)
    # Who writes the decision writes its date as well: it must hold on that day and today.
    if not (operator.in_office(decision.decided_at) and operator.in_office(decision.at)):
        return reason(
            "decision.expired_operator",
            operator=decision.operator_id,
            at=moment(book, decision.decided_at),
        )
    if MAY_DECIDE.isdisjoint(operator.roles):
        return reason("decision.no_role", operator=decision.operator_id)
    return None


def _staleness(incident: Incident, decision: Decision) -> Reason | None:
    """Refuse a decision about a version that is materially gone, or that never was."""
    if decision.version is None:
        return None
    if decision.version > incident.version:
        return reason("decision.future", seen=decision.version, version=incident.version)
    if decision.version < incident.material_version:
        return reason(
            "decision.stale",
            seen=decision.version,
            changed=incident.material_version,
            version=incident.version,
        )
    return None


def _raise(book: Book, town: TownState, incident: Incident, decision: Decision) -> Ruled:
    level = decision.level
    if level not in LEVELS or level is None:
        return _refused(reason("decision.no_level"), incident.version)
    if level <= incident.level:
        return _refused(reason("decision.not_higher", before=incident.level, level=level), incident.version)
    before = incident.level
    incident.zone_levels = dict.fromkeys(incident.zone_levels, level)
    incident.level = level
    return _applied(book, town, incident, decision, "decision.raised", before=before)


def _lower(book: Book, town: TownState, incident: Incident, decision: Decision) -> Ruled:
    level = decision.level
    if level not in LEVELS or level is None:
        return _refused(reason("decision.no_level"), incident.version)
    if level >= incident.level:
        return _refused(reason("decision.not_lower", before=incident.level, level=level), incident.version)
    blind = _blind(book, town, incident, level)
    if blind is not None:
        return _refused(blind, incident.version)
    before = incident.level
    incident.level = level
    incident.zone_levels = {zone: min(stood, level) for zone, stood in incident.zone_levels.items()}
    # What still stands above was set aside by a person: it counts again when it rises, or falls and returns.
    incident.overruled = {
        condition.key: condition.level for condition in deciding(town, incident) if condition.level > level
    }
    return _applied(book, town, incident, decision, "decision.lowered", before=before)


def _close(book: Book, town: TownState, incident: Incident, decision: Decision) -> Ruled:
    if incident.kind == HAZARD:
        refusal = _blind(book, town, incident, 0) or _still_danger(book, town, incident)
        if refusal is not None:
            return _refused(refusal, incident.version)
    ruled = _applied(book, town, incident, decision, "decision.closed", before=incident.level, is_closed=True)
    close_incident(town, incident)
    return ruled


def _still_danger(book: Book, town: TownState, incident: Incident) -> Reason | None:
    for condition in _in_rulebook(book, deciding(town, incident)):
        if condition.level > incident.overruled.get(condition.key, 0):
            return reason(
                "decision.still_danger",
                sensor=condition.sensor_id,
                level=condition.level,
                label=label(book, condition.level),
            )
    return None


def _blind(book: Book, town: TownState, incident: Incident, level: int) -> Reason | None:
    """Refuse to go below what a silent source last said, unless another site shows its zones lower."""
    for condition in _in_rulebook(book, deciding(town, incident)):
        if condition.silent and not _seen_elsewhere(book, town, condition, level):
            since = silent_since(town, condition.sensor_id) or incident.observed_at
            return reason(
                "decision.blind", sensor=condition.sensor_id, since=moment(book, since), level=level
            )
    return None


def _in_rulebook(book: Book, conditions: list[Condition]) -> list[Condition]:
    """Leave out what two signatures took out of the folder: a dismantled gauge would bar every decision."""
    return [one for one in conditions if one.rule_id in book.levels and one.sensor_id in book.sensors]


def _seen_elsewhere(book: Book, town: TownState, silent: Condition, level: int) -> bool:
    """Return whether other sites show every zone of a silent source at or below ``level``.

    Only sensors count that report, are watched for silence and stand for the same hazard.
    """
    lost = book.levels.get(silent.rule_id)
    if lost is None:
        return False
    site, uncovered = book.site_of(silent.sensor_id), set(lost.zones)
    for rule in book.levels.values():
        rules = book.sensors.get(rule.sensor_id)
        if rule.hazard != lost.hazard or rules is None or rules.site == site or not rules.silences:
            continue
        if silent_since(town, rule.sensor_id) is not None or rule.sensor_id not in town.heard:
            continue
        condition = town.conditions.get(condition_key(rule.id, rule.sensor_id))
        if condition is None or condition.level <= level:
            uncovered -= set(rule.zones)
    return not uncovered


def _applied(
    book: Book,
    town: TownState,
    incident: Incident,
    decision: Decision,
    code: str,
    *,
    before: int,
    is_closed: bool = False,
) -> Ruled:
    why = reason(
        code,
        operator=decision.operator_id,
        before=before,
        level=incident.level,
        label=label(book, incident.level),
        reason=decision.reason or word("no_reason"),
    )
    news = news_of(
        book,
        incident,
        (why,),
        at=decision.at,
        previous_level=before,
        is_material=True,
        decision_id=decision.decision_id,
        is_closed=is_closed,
        simulated=decision.simulated,
    )
    changes = publish(book, town, [news])
    return Ruled(Ruling.APPLIED, (why,), incident.version, tuple(changes))


def _refused(why: Reason, version: int | None = None) -> Ruled:
    return Ruled(Ruling.REFUSED, (why,), version)


_VERBS: Final[dict[str, Callable[[Book, TownState, Incident, Decision], Ruled]]] = {
    Verb.RAISE.value: _raise,
    Verb.LOWER.value: _lower,
    Verb.CLOSE.value: _close,
}
