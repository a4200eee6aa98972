"""Ask for authority over exact words. The question doubles as the page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from schemas.events.base import Reason
from schemas.events.incidents import IncidentSnapshot
from schemas.events.warnings import Audience, Ledger, WarningRequested
from schemas.vocabulary import Purpose, WarningState
from services.notify.domain import names
from services.notify.domain.authority import Bound, release_for
from services.notify.domain.plan import PagePlan, RequestPlan
from services.notify.domain.warning import Step, move
from services.notify.flows import alerting
from services.notify.flows.questions import RELEASE, UNANSWERED
from services.notify.outbound import recipients, requests, warnings
from services.notify.outbound.requests import Request
from services.notify.work import Work

_OPEN_FOR = timedelta(hours=12)


async def ask(
    work: Work, incident: IncidentSnapshot, asked: RequestPlan, page: PagePlan, reasons: Sequence[Reason]
) -> Request:
    """Write the request and ring the roster with it; the question doubles as the page."""
    head = await warnings.find(work.conn, work.municipality, asked.warning_id)
    version = head.version + 1 if head else 1
    state = move(head.state if head else None, Step.REQUEST)
    group = await recipients.group_of(work.conn, work.municipality, asked.zones)
    bound = Bound(incident.incident_id, incident.version, asked.zones, asked.texts, group.digest)
    event = WarningRequested(
        warning_id=asked.warning_id,
        version=version,
        incident_id=incident.incident_id,
        incident_version=incident.version,
        hazard=incident.hazard,
        level=asked.level,
        state=WarningState.REQUESTED,
        zones=asked.zones,
        texts=asked.texts,
        audience=Audience(
            digest=group.digest,
            phones=group.phones,
            inhabitants=sum(work.town.zone_of[zone].population for zone in asked.zones),
        ),
        content_hash=bound.content_hash,
        verify_code=asked.verify_code,
        valid_until=asked.valid_until,
        reasons=(*reasons, *(finding.reason for finding in asked.findings)),
        ledger=Ledger(
            observed_at=incident.observed_at,
            received_at=incident.received_at,
            classified_at=incident.classified_at,
            requested_at=work.now,
        ),
    )
    await warnings.keep(
        work.conn,
        work.municipality,
        event,
        event_type=event.TYPE,
        number=asked.number,
        state=state,
        in_force_version=head.in_force_version if head else None,
        exercise_id=work.exercise_id,
        at=work.now,
    )
    await work.publish(event, key=incident.incident_id, identity=(event.warning_id, version))
    request = await _open(work, event, Purpose.WARNING, reasons)
    await alerting.start(
        work,
        incident,
        page,
        request.alert_id,
        Purpose.AUTHORITY,
        reasons,
        request_id=request.request_id,
        warning_id=event.warning_id,
        warning_version=version,
    )
    release = release_for(work.town, incident, event.level, event.zones, work.now)
    if release is not None:
        due_at = work.now + timedelta(seconds=release.after_s)
        timers = work.app.timers
        await timers.set(work.conn, work.municipality, RELEASE, request.request_id, "ask", due_at)
    return request


async def ask_renewal(
    work: Work, event: WarningRequested, incident: IncidentSnapshot, page: PagePlan
) -> None:
    """Ask the whole roster whether a warning goes on; ``event`` is already kept."""
    request = await _open(work, event, Purpose.RENEWAL, event.reasons)
    await alerting.start(
        work,
        incident,
        page,
        request.alert_id,
        Purpose.AUTHORITY,
        event.reasons,
        request_id=request.request_id,
        warning_id=event.warning_id,
        warning_version=event.version,
    )


async def _open(work: Work, event: WarningRequested, purpose: Purpose, reasons: Sequence[Reason]) -> Request:
    request = Request(
        request_id=names.request_id(work.municipality, event.warning_id, event.version),
        warning_id=event.warning_id,
        version=event.version,
        incident_id=event.incident_id,
        incident_version=event.incident_version,
        purpose=purpose,
        content_hash=event.content_hash,
        state=requests.PENDING,
        alert_id=names.alert_id(
            work.municipality, event.incident_id, "authority", event.warning_id, event.version
        ),
        reasons=tuple(reasons),
        opened_at=work.now,
        expires_at=work.now + _OPEN_FOR,
    )
    await requests.add(work.conn, work.municipality, request)
    if purpose is Purpose.WARNING:  # A renewal that nobody answers is applied by its own rule.
        due_at = min(event.valid_until, request.expires_at)
        timers = work.app.timers
        await timers.set(work.conn, work.municipality, UNANSWERED, request.request_id, "end", due_at)
    return request
