"""How triage's own events are addressed on the way out."""

from __future__ import annotations

from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from schemas.envelope import Envelope
from schemas.events.base import Event
from schemas.events.decisions import DecisionRuled
from schemas.events.incidents import IncidentSnapshot
from schemas.events.municipality import MunicipalityActivated
from schemas.events.reports import ReportJudged
from schemas.topics import DECISIONS, INCIDENTS, MUNICIPALITY, REPORTS
from schemas.vocabulary import Lane
from services.runtime.outbox import Outgoing
from services.triage.settings import SERVICE


def classified(
    municipality: str, snapshot: IncidentSnapshot, value: bytes, *, at: datetime, cause: str | None
) -> Outgoing:
    """Address a version of an incident, with its JSON; its event id follows from incident and version."""
    name = f"{snapshot.incident_id}/{snapshot.version}"
    envelope = _envelope(municipality, name, snapshot, at, correlation=snapshot.incident_id, cause=cause)
    return Outgoing(INCIDENTS.name, snapshot.incident_id, envelope, value, Lane.INCIDENTS)


def ruled(municipality: str, ruling: DecisionRuled, *, at: datetime, cause: str | None) -> Outgoing:
    """Address the answer to a decision."""
    name = f"{ruling.decision_id}/ruled"
    envelope = _envelope(municipality, name, ruling, at, correlation=ruling.incident_id, cause=cause)
    return Outgoing(DECISIONS.name, municipality, envelope, ruling.json_bytes(), Lane.DECISIONS)


def judged(municipality: str, event: ReportJudged, *, at: datetime, cause: str | None) -> Outgoing:
    """Address what a report came to."""
    correlation = event.incident_id or event.report_id
    envelope = _envelope(municipality, event.report_id, event, at, correlation=correlation, cause=cause)
    return Outgoing(REPORTS.name, municipality, envelope, event.json_bytes(), Lane.REPORTS)


def activated(municipality: str, event: MunicipalityActivated, *, at: datetime) -> Outgoing:
    """Address the news that a version of the folder is in force."""
    envelope = _envelope(municipality, f"{event.folder_hash}/{at.isoformat()}", event, at)
    return Outgoing(MUNICIPALITY.name, municipality, envelope, event.json_bytes(), Lane.DECISIONS)


def _envelope(
    municipality: str,
    name: str,
    event: Event,
    at: datetime,
    *,
    correlation: str | None = None,
    cause: str | None = None,
) -> Envelope:
    return Envelope(
        id=str(uuid5(NAMESPACE_URL, f"{SERVICE}/{municipality}/{event.TYPE}/{name}")),
        source=SERVICE,
        type=event.TYPE,
        time=at,
        municipality=municipality,
        subject=correlation,
        correlation_id=correlation,
        causation_id=cause,
    )
