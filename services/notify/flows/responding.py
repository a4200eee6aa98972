"""Act on an incident as triage now sees it: plan, then do what the plan says, in one transaction."""

from __future__ import annotations

from dataclasses import replace

from schemas.events.base import Reason
from schemas.events.incidents import IncidentSnapshot
from schemas.vocabulary import IncidentState, Purpose
from services.notify.domain.plan import Held, HeldWarning, PagePlan, Plan, Told, plan
from services.notify.flows import alerting, asking, deciding, questions, releasing, tasking
from services.notify.outbound import incidents, requests, warnings
from services.notify.outbound.incidents import HeldIncident
from services.notify.outbound.requests import Request
from services.notify.work import Work


async def on_snapshot(work: Work, incident: IncidentSnapshot) -> bool:
    """Act on a version; one that is not newer than what is held is dropped. Say whether it was news."""
    held = await incidents.find(work.conn, work.municipality, incident.incident_id)
    if held is not None and held.snapshot.version >= incident.version:
        return False
    work = work.about(
        exercise_id=held.exercise_id if held else work.exercise_id,
        correlation_id=held.correlation_id if held else None,
    )
    await _act(work, incident, held)
    await deciding.retry_waiting(work, incident.incident_id)
    return True


async def replan(work: Work, incident_id: str, awake: str) -> None:
    """Plan the incident afresh as it is held: what was asked fell away without a new version of it.

    ``awake`` is rung first, if it is a person.
    """
    held = await incidents.find(work.conn, work.municipality, incident_id)
    if held is None or held.snapshot.state is IncidentState.CLOSED:
        return
    work = work.about(exercise_id=held.exercise_id, correlation_id=held.correlation_id)
    await _act(work, held.snapshot, held, awake if awake in work.town.person_of else None)


async def on_closed(work: Work, incident: IncidentSnapshot) -> bool:
    """End questions, pages and tasks. A warning in force stays: ending it is a decision of its own."""
    held = await incidents.find(work.conn, work.municipality, incident.incident_id)
    if held is not None and held.snapshot.version >= incident.version:
        return False
    why = Reason(code="incident.closed", text="El incidente fue cerrado.")
    request = await requests.pending(work.conn, work.municipality, incident.incident_id, Purpose.WARNING)
    if request is not None:
        await questions.void(work, request, why)
    await alerting.close_all(work, incident.incident_id, alerting.ENDED, Purpose.PAGE)
    await tasking.cancel_all(work, incident.incident_id, why)
    await _keep(work, incident, Told(), (why,))
    await deciding.retry_waiting(work, incident.incident_id)
    return True


async def _act(
    work: Work, incident: IncidentSnapshot, held: HeldIncident | None, awake: str | None = None
) -> None:
    request = await requests.pending(work.conn, work.municipality, incident.incident_id, Purpose.WARNING)
    known = Held(
        told=held.told if held else Told(),
        warning=await _held_warning(work, incident, request),
        version=held.snapshot.version if held else 0,
    )
    todo = plan(
        incident,
        work.town,
        known,
        now=work.now,
        catalogues=work.catalogues,
        exercise_id=work.exercise_id,
    )
    await _keep(work, incident, _told_now(incident, known.told, todo), todo.reasons)
    if todo.void is not None and request is not None:
        await questions.void(work, request, todo.void)
        request = None
    if todo.page is not None:
        page = _first(todo.page, awake)
        await alerting.supersede(work, incident.incident_id)
        if todo.request is not None:
            await asking.ask(work, incident, todo.request, page, todo.reasons)
        else:
            await alerting.open_page(work, incident, page, todo.reasons)
    if incident.level < known.told.level or incident.level < incident.previous_level:
        await tasking.cancel_above(work, incident)
    for task in todo.tasks:
        await tasking.assign(work, incident, task, todo.reasons)
    if request is not None:
        await releasing.try_release(work, request, incident)


def _first(page: PagePlan, awake: str | None) -> PagePlan:
    """Put who is known to be awake before the others."""
    return replace(page, order=tuple(dict.fromkeys((awake, *page.order)))) if awake else page


def _told_now(incident: IncidentSnapshot, before: Told, todo: Plan) -> Told:
    """What people inside know from now on. A fall is known too, so that the next rise is news again."""
    places = (*incident.zones, *((incident.site,) if incident.site else ()))
    if todo.page is not None or incident.level < before.level:
        return Told(incident.level, places)
    return replace(before, zones=tuple(sorted(set(before.zones) & set(places)) or before.zones))


async def _held_warning(
    work: Work, incident: IncidentSnapshot, request: Request | None
) -> HeldWarning | None:
    head = await warnings.newest_of(work.conn, work.municipality, incident.incident_id)
    if head is None:
        return None
    version = head.in_force_version or head.version
    says = await warnings.version_of(work.conn, work.municipality, head.warning_id, version)
    asked = request and await warnings.version_of(
        work.conn, work.municipality, request.warning_id, request.version
    )
    if says is None:
        return None
    return HeldWarning(
        number=head.number,
        state=head.state,
        level=says.level,
        zones=says.zones,
        asked_level=asked.level if asked else None,
        asked_zones=asked.zones if asked else (),
    )


async def _keep(work: Work, incident: IncidentSnapshot, told: Told, reasons: tuple[Reason, ...]) -> None:
    await incidents.keep(
        work.conn,
        work.municipality,
        incident,
        told,
        reasons=reasons,
        exercise_id=work.exercise_id,
        correlation_id=work.correlation_id,
        at=work.now,
    )
