"""Ring people on duty until somebody answers: pages and questions of authority alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from schemas.events.base import Reason
from schemas.events.incidents import IncidentSnapshot
from schemas.events.warnings import AlertAcknowledged, AlertDispatched, AlertEscalated
from schemas.municipality.duty import LevelPlan, Step, Who
from schemas.vocabulary import Channel, MessageState, Purpose
from services.notify.domain import names
from services.notify.domain.escalation import Escalation, Ring, due, next_at, pull_next
from services.notify.domain.plan import PagePlan, protocol_for, roster_order
from services.notify.flows import wording
from services.notify.outbound import alerts, codes, planned
from services.notify.outbound.alerts import Alert
from services.notify.tables import delivery
from services.notify.work import Work

ESCALATE = "escalate"
ACKNOWLEDGED = "acknowledged"
SUPERSEDED = "superseded"
ANSWERED = "answered"
ENDED = "ended"

_EVERYBODY = (
    Step(after_s=0, channel=Channel.SMS, who=Who.ALL),
    Step(after_s=0, channel=Channel.VOICE, who=Who.ALL),
    Step(after_s=600, channel=Channel.VOICE, who=Who.ALL),
)


async def open_page(
    work: Work, incident: IncidentSnapshot, page: PagePlan, reasons: Sequence[Reason]
) -> Alert:
    """Page the roster about this version of an incident."""
    alert_id = _page_of(work, incident.incident_id, incident.version)
    return await start(work, incident, page, alert_id, Purpose.PAGE, reasons)


def _page_of(work: Work, incident_id: str, version: int) -> str:
    return names.alert_id(work.municipality, incident_id, "page", version)


async def supersede(work: Work, incident_id: str) -> None:
    """End pages about older versions; one that says what did not go out rings on until somebody answers."""
    for row in await alerts.open_ones(work.conn, work.municipality, incident_id, Purpose.PAGE):
        if row.alert_id == _page_of(work, incident_id, row.incident_version):
            await close(work, row, SUPERSEDED)


async def page_problem(work: Work, incident: IncidentSnapshot, why: Reason, which: object) -> None:
    """Page the roster because something that should have gone out did not; once per ``which``."""
    level_plan = protocol_for(incident, work.town).at(incident.level)
    if level_plan is not None:
        await _page_of_problem(work, incident, level_plan, why, which)


async def page_everybody(work: Work, incident: IncidentSnapshot, why: Reason, which: object) -> None:
    """Ring the whole roster at once, by text and by call: its order has led nowhere; once per ``which``."""
    level_plan = protocol_for(incident, work.town).at(incident.level)
    if level_plan is not None:
        everybody = level_plan.model_copy(update={"steps": _EVERYBODY})
        await _page_of_problem(work, incident, everybody, why, which)


async def _page_of_problem(
    work: Work, incident: IncidentSnapshot, level_plan: LevelPlan, why: Reason, which: object
) -> None:
    page = PagePlan(incident.level, level_plan, roster_order(work.town, level_plan, work.now))
    alert_id = names.alert_id(work.municipality, incident.incident_id, why.code, which)
    await start(work, incident, page, alert_id, Purpose.PAGE, (why,))


async def start(
    work: Work,
    incident: IncidentSnapshot,
    page: PagePlan,
    alert_id: str,
    purpose: Purpose,
    reasons: Sequence[Reason],
    *,
    request_id: str | None = None,
    warning_id: str | None = None,
    warning_version: int | None = None,
) -> Alert:
    """Open an alert that rings by the town's steps, and take the steps that are due now."""
    new = Alert(
        alert_id=alert_id,
        incident_id=incident.incident_id,
        incident_version=incident.version,
        level=page.level,
        purpose=purpose,
        state=alerts.OPEN,
        reasons=tuple(reasons),
        dispatched_at=work.now,
        escalation=Escalation(order=page.order, started_at=work.now),
        steps=page.steps.steps,
        request_id=request_id,
        warning_id=warning_id,
        warning_version=warning_version,
        exercise_id=work.exercise_id,
    )
    if await alerts.add(work.conn, work.municipality, new):
        await advance(work, new)
    return new


async def advance(work: Work, row: Alert, why: Sequence[Reason] = ()) -> Alert:
    """Take every step that is due, and set the time of the next one."""
    if row.escalation is None or not row.is_open:
        return row
    state, rings = due(row.escalation, row.steps, work.now)
    row = row.moved(state, why)
    await alerts.save(work.conn, work.municipality, row)
    for ring in rings:
        await _ring(work, row, ring, why)
    await _tell(work, row, rings, why)
    later = next_at(state, row.steps)
    if later is not None:
        timers = work.app.timers
        await timers.set(work.conn, work.municipality, ESCALATE, row.alert_id, "next", later)
    return row


async def acknowledge(work: Work, row: Alert, person_id: str, channel: Channel, reply_id: str | None) -> None:
    """Note that somebody answered. A page ends; a question goes on, but does not ring this person again."""
    ack_id = names.derived("ack", work.municipality, row.alert_id, person_id)
    new = await alerts.add_ack(
        work.conn,
        work.municipality,
        ack_id,
        row,
        person_id=person_id,
        channel=channel,
        reply_id=reply_id,
        at=work.now,
    )
    if not new:
        return
    event = AlertAcknowledged(
        alert_id=row.alert_id,
        incident_id=row.incident_id,
        person_id=person_id,
        channel=channel,
        acknowledged_at=work.now,
    )
    await work.publish(event, key=row.incident_id, identity=(row.alert_id, person_id))
    if row.purpose is Purpose.PAGE:
        await close(work, row, ACKNOWLEDGED, by=person_id)
    elif row.escalation is not None and row.is_open:
        awake = (*row.escalation.awake, person_id)
        await alerts.save(work.conn, work.municipality, row.moved(replace(row.escalation, awake=awake)))


async def pass_on(work: Work, row: Alert, why: Reason) -> bool:
    """Ring the next person now; say whether there was one."""
    if row.escalation is None or not row.is_open:
        return False
    pulled = pull_next(row.escalation, row.steps, work.now)
    if pulled is None:
        return False
    await advance(work, replace(row, escalation=pulled), (why,))
    return True


async def close(work: Work, row: Alert, state: str, *, by: str | None = None) -> None:
    """End an alert: nobody is rung for it any more, what has not left stays here."""
    at = work.now if by else None
    if not await alerts.close(work.conn, work.municipality, row.alert_id, state, by=by, at=at):
        return
    await work.app.timers.cancel(work.conn, work.municipality, ESCALATE, row.alert_id)
    subjects = [subject for subject in (row.alert_id, row.request_id) if subject]
    await codes.close(work.conn, work.municipality, subjects, work.now)
    to = MessageState.SUPPRESSED if state in {ACKNOWLEDGED, ANSWERED} else MessageState.WITHDRAWN
    await work.app.deliveries.take_back(work.conn, work.municipality, to, delivery.c.alert_id == row.alert_id)


async def close_all(work: Work, incident_id: str, state: str, purpose: Purpose | None = None) -> None:
    """End every open alert of an incident, or those of one purpose."""
    for row in await alerts.open_ones(work.conn, work.municipality, incident_id, purpose):
        await close(work, row, state)


async def _ring(work: Work, row: Alert, ring: Ring, why: Sequence[Reason]) -> None:
    said = await wording.of_ring(work, row, ring, why)
    if said is None:
        return
    text, language = said
    message = planned.Message(
        alert_id=row.alert_id,
        incident_id=row.incident_id,
        recipient_id=ring.person_id,
        purpose=row.purpose,
        channel=ring.channel,
        round=ring.round,
        text=text,
        language=language,
        warning_id=row.warning_id,
        version=row.warning_version,
        exercise_id=row.exercise_id,
        correlation_id=work.correlation_id,
    )
    await planned.plan(work.conn, work.municipality, message, work.now)


async def _tell(work: Work, row: Alert, rings: Sequence[Ring], why: Sequence[Reason]) -> None:
    """Publish the first step as dispatched, every later one as escalated."""
    for ring in rings:
        if ring.round == 0:
            continue
        silence = Reason(code="alert.no_answer", text="Nadie respondió al paso anterior.")
        step = AlertEscalated(
            alert_id=row.alert_id,
            incident_id=row.incident_id,
            step=ring.round,
            person_id=ring.person_id,
            channel=ring.channel,
            reasons=tuple(why) or (silence,),
            escalated_at=work.now,
        )
        identity = (row.alert_id, ring.round, ring.person_id)
        await work.publish(step, key=row.incident_id, identity=identity)
    first = [ring for ring in rings if ring.round == 0]
    if first:
        event = AlertDispatched(
            alert_id=row.alert_id,
            incident_id=row.incident_id,
            incident_version=row.incident_version,
            purpose=row.purpose,
            channel=first[0].channel,
            recipients=len(first),
            warning_id=row.warning_id,
            person_id=first[0].person_id if len(first) == 1 else None,
            reasons=row.reasons,
            dispatched_at=work.now,
        )
        await work.publish(event, key=row.incident_id, identity=(row.alert_id,))
