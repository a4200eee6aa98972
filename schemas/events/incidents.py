"""Topic ``incidents``: full snapshots of what triage holds to be happening."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from schemas.events.base import Event, Id, Moment, Part, Reason
from schemas.vocabulary import (
    EvidenceSource,
    Hazard,
    IncidentKind,
    IncidentState,
    Level,
    Property,
    SensorState,
)


class Evidence(Part):
    """What one source contributes to an incident.

    Attributes:
        level: The condition that the rule gives this sensor.
        state: ``no_data`` when the condition stands on the last reading before a silence.
        provisional: The reading is younger than the sensor's lateness; an older one may still arrive.
        source: ``report``: not a sensor but people, who never count as confirmation. ``sensor_id`` is then
            ``report:<zone>:<what in one word>``, ``level`` what their words are worth alone, and
            ``observed_at`` the first of them.
        what: For ``report``: what they say happens, in our own words: ``niño atrapado``.
        zone: For ``report``: where.
        count: For ``report``: how many said so.
    """

    rule_id: Id
    sensor_id: Id
    site: Id
    property: Property
    value: float | None = None
    unit: str | None = None
    observed_at: Moment | None = None
    received_at: Moment | None = None
    level: Level
    state: SensorState = SensorState.OK
    provisional: bool = False
    source: EvidenceSource = EvidenceSource.SENSOR
    what: Annotated[str, Field(max_length=100)] | None = None
    zone: Id | None = None
    count: Annotated[int, Field(ge=1)] = 1


class IncidentSnapshot(Event):
    """An incident as it stands at one version; immutable.

    Attributes:
        version: From 1, one more with every change; a consumer drops what is not newer than it holds.
        level: The incident's level, a ratchet: it falls only by a decision or a row that allows it.
        zones: The zones in danger at ``level`` itself, sorted. Empty for a silent site.
        zone_levels: Every zone of the incident with its own level; those below ``level`` are not in
            ``zones``.
        site: The silent site, for ``kind`` ``no_data``.
        corroboration: Number of distinct sites whose condition stands at or above ``level``.
        observed_at, received_at, classified_at: First three steps of the time-lost ledger, of the reading
            that caused this version.
        rulebook_version: Hash of the rulebook in force.
    """

    incident_id: Id
    version: Annotated[int, Field(ge=1)]
    kind: IncidentKind
    hazard: Hazard
    state: IncidentState
    level: Level
    previous_level: Level
    zones: tuple[Id, ...] = ()
    zone_levels: dict[Id, Level] = Field(default_factory=dict)
    site: Id | None = None
    rule_id: Id | None = None
    corroboration: int = 0
    opened_at: Moment
    observed_at: Moment
    received_at: Moment | None = None
    classified_at: Moment
    rulebook_version: str
    reasons: tuple[Reason, ...]
    evidence: tuple[Evidence, ...] = ()
    decision_id: Id | None = None


class IncidentClassified(IncidentSnapshot):
    """Triage opened an incident or changed its level, area or evidence that matters."""

    TYPE: ClassVar[str] = "incident.classified"


class IncidentClosed(IncidentSnapshot):
    """A person closed the incident; ``reasons`` say who and why."""

    TYPE: ClassVar[str] = "incident.closed"
