"""An incident: a ratchet over zones. It opens and rises by rule; down is a decision. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from schemas.events.base import Reason
from schemas.events.incidents import Evidence, IncidentClassified, IncidentClosed, IncidentSnapshot
from schemas.vocabulary import (
    EvidenceSource,
    Hazard,
    IncidentKind,
    IncidentState,
    Level,
    Property,
    SensorState,
)
from services.triage.domain.changes import Change
from services.triage.domain.reasons import reason
from services.triage.domain.rulebook import Book
from services.triage.domain.state import MAX_CLOSED, Condition, Incident, Said, TownState

NAMESPACE: Final = UUID("5f3b1f0e-7a52-4c57-9d0e-6e1b6a0c9d11")
HAZARD: Final = "hazard"
NO_DATA: Final = "no_data"


def incident_id_of(town: TownState, rule_id: str, place: str, observed_at: datetime) -> str:
    """Return the id that follows from cause, rule and place: a second run yields the same.

    A correction may raise again at the very moment whose incident a person closed: the next id is taken,
    because consumers would drop a closed incident's first version as old.
    """
    cause = f"{town.municipality}|{rule_id}|{place}|{observed_at.isoformat()}"
    for again in range(MAX_CLOSED + 1):
        made = str(uuid5(NAMESPACE, f"{cause}#{again}" if again else cause))
        if made not in town.closed and made not in town.incidents:
            break
    return made


def zones_at_level(incident: Incident) -> tuple[str, ...]:
    """Return the zones that stand at the incident's own level; lower ones are in ``zone_levels`` only."""
    return tuple(sorted(zone for zone, level in incident.zone_levels.items() if level >= incident.level))


def raise_to(incident: Incident, zones: Iterable[str], level: int) -> bool:
    """Raise zones, and the incident with them; return whether anything rose. Nothing ever falls here."""
    before = (incident.level, dict(incident.zone_levels))
    for zone in zones:
        incident.zone_levels[zone] = max(incident.zone_levels.get(zone, 0), level)
    incident.level = max(incident.level, level)
    return before != (incident.level, incident.zone_levels)


def deciding(town: TownState, incident: Incident) -> list[Condition]:
    """Return the conditions on which the incident stands."""
    return [town.conditions[key] for key in incident.sources if key in town.conditions]


def corroboration(book: Book, town: TownState, incident: Incident) -> int:
    """Count the distinct sites whose condition stands at or above the incident's level."""
    return len(
        {
            book.site_of(condition.sensor_id)
            for condition in deciding(town, incident)
            if condition.level >= incident.level > 0
        }
    )


@dataclass(frozen=True, slots=True)
class News:
    """What happened to an incident; its next version tells it.

    Attributes:
        change: The verdict, without a snapshot.
        received_at: When the reading that caused it came in.
        evidence: Where the incident is not about conditions: of a silent site.
    """

    incident: Incident
    change: Change
    is_material: bool
    received_at: datetime | None
    evidence: tuple[Evidence, ...] = ()
    decision_id: str | None = None
    is_closed: bool = False


def news_of(
    book: Book,
    incident: Incident,
    reasons: tuple[Reason, ...],
    *,
    at: datetime,
    previous_level: int,
    is_material: bool,
    cause: Condition | None = None,
    decision_id: str | None = None,
    is_closed: bool = False,
    simulated: bool = False,
    evidence: tuple[Evidence, ...] = (),
) -> News:
    """Say what happened to an incident. ``cause``: the condition whose reading brought it about."""
    if cause is not None and cause.observed_at is not None:
        incident.observed_at, incident.received_at = cause.observed_at, cause.received_at
    change = Change(
        kind="incident",
        at=at,
        observed_at=incident.observed_at,
        reasons=reasons,
        rule=cause.rule_id if cause else incident.rule_id,
        sensor_id=cause.sensor_id if cause else None,
        zones=zones_at_level(incident),
        before=previous_level,
        after=0 if is_closed else incident.level,
        value=cause.value if cause else None,
        simulated=simulated,
        rulebook_version=book.version,
        incident_id=incident.incident_id,
    )
    return News(incident, change, is_material, incident.received_at, evidence, decision_id, is_closed)


def publish(book: Book, town: TownState, news: Sequence[News]) -> list[Change]:
    """Give every incident that has news one further version; return all verdicts in their order.

    What is decided together is told together: the version stands in the incident's last verdict. Nothing
    but a decision lowers an incident, and a decision is decided alone, so no level is passed over that a
    later one does not include.
    """
    changes = [each.change for each in news]
    of_incident: dict[str, list[News]] = {}
    for each in news:
        of_incident.setdefault(each.incident.incident_id, []).append(each)
    last = {each.incident.incident_id: place for place, each in enumerate(news)}
    for incident_id, place in last.items():
        snapshot = _next_version(book, town, of_incident[incident_id])
        changes[place] = replace(changes[place], snapshot=snapshot)
    return changes


def _next_version(book: Book, town: TownState, news: Sequence[News]) -> IncidentSnapshot:
    incident, first, weightiest, last = news[0].incident, news[0], _weightiest(news), news[-1]
    incident.version += 1
    incident.previous_level = first.change.before or 0
    if any(each.is_material for each in news):
        incident.material_version = incident.version
    incident.observed_at = weightiest.change.observed_at or incident.observed_at
    incident.received_at = weightiest.received_at
    given = {one.sensor_id: one for each in news for one in each.evidence}
    measured = (_evidence(book, condition) for condition in deciding(town, incident))
    evidence = given.values() or [*measured, *(_said(row) for row in incident.reports)]
    return _snapshot(
        book,
        town,
        incident,
        _reasons(news, weightiest),
        evidence,
        at=last.change.at,
        decision_id=last.decision_id,
        is_closed=last.is_closed,
    )


def _weightiest(news: Sequence[News]) -> News:
    """Return what brought the level at which the incident stands; else what widened it, else the last."""
    raised = [each for each in news if (each.change.after or 0) > (each.change.before or 0)]
    material = [each for each in news if each.is_material]
    return (raised or material or news)[-1]


def _reasons(news: Sequence[News], weightiest: News) -> tuple[Reason, ...]:
    """Say why it opened, why it stands where it stands, what came last, and how much came beside."""
    opening = news[:1] if news[0].incident.version == 1 else ()
    told = {id(each): each for each in (*opening, weightiest, news[-1])}
    reasons = [why for each in told.values() for why in each.change.reasons]
    if len(news) > len(told):
        reasons.append(reason("incident.more", count=len(news) - len(told)))
    return tuple(reasons)


def _snapshot(
    book: Book,
    town: TownState,
    incident: Incident,
    reasons: tuple[Reason, ...],
    evidence: Iterable[Evidence],
    *,
    at: datetime,
    decision_id: str | None,
    is_closed: bool,
) -> IncidentSnapshot:
    kind = IncidentClosed if is_closed else IncidentClassified
    return kind(
        incident_id=incident.incident_id,
        version=incident.version,
        kind=IncidentKind(incident.kind),
        hazard=Hazard(incident.hazard),
        state=IncidentState.CLOSED if is_closed else IncidentState.OPEN,
        level=Level(incident.level),
        previous_level=Level(incident.previous_level),
        zones=zones_at_level(incident),
        zone_levels={zone: Level(level) for zone, level in sorted(incident.zone_levels.items())},
        site=incident.site,
        rule_id=incident.rule_id,
        corroboration=corroboration(book, town, incident),
        opened_at=incident.opened_at,
        observed_at=incident.observed_at,
        received_at=incident.received_at,
        classified_at=at,
        rulebook_version=book.version,
        reasons=reasons,
        evidence=tuple(evidence),
        decision_id=decision_id,
    )


def _evidence(book: Book, condition: Condition) -> Evidence:
    rules = book.sensors.get(condition.sensor_id)
    rule = book.levels.get(condition.rule_id)
    return Evidence(
        rule_id=condition.rule_id,
        sensor_id=condition.sensor_id,
        site=book.site_of(condition.sensor_id),
        property=Property(rules.property) if rules else Property.UNKNOWN,
        value=condition.value,
        unit=rule.unit if rule else None,
        observed_at=condition.observed_at,
        received_at=condition.received_at,
        level=Level(condition.level),
        state=SensorState.NO_DATA if condition.silent else SensorState.OK,
        provisional=condition.provisional,
    )


def _said(row: Said) -> Evidence:
    """People are no site: what they say corroborates nothing."""
    return Evidence(
        rule_id=f"report.{row.code}",
        sensor_id=f"report:{row.zone or ''}:{row.code}",
        site="report",
        property=Property.UNKNOWN,
        observed_at=row.first_at,
        received_at=row.received_at,
        level=Level(row.level),
        source=EvidenceSource.REPORT,
        what=row.what,
        zone=row.zone,
        count=row.count,
    )
