"""Give brigades and technicians their tasks, and take them back when the reason ends."""

from __future__ import annotations

from datetime import timedelta

from schemas.events.base import Reason
from schemas.events.incidents import IncidentSnapshot
from schemas.events.tasks import TaskAssigned, TaskUpdated
from schemas.vocabulary import Channel, Level, Purpose, TaskKind, TaskState, WarningState
from services.notify.domain import compose, names
from services.notify.domain.plan import TaskPlan
from services.notify.domain.render import finished
from services.notify.outbound import alerts, codes, incidents, planned, recipients, tasks, warnings
from services.notify.outbound.alerts import Alert
from services.notify.work import Work

TASK = "task"
_CODE_LIFE = timedelta(hours=24)


async def assign(
    work: Work, incident: IncidentSnapshot, wanted: TaskPlan, reasons: tuple[Reason, ...]
) -> bool:
    """Give a task once per incident, kind and thing; say whether it was new."""
    task_id = names.derived(TASK, work.municipality, incident.incident_id, wanted.kind.value, wanted.subject)
    event = TaskAssigned(
        task_id=task_id,
        version=1,
        incident_id=incident.incident_id,
        kind=wanted.kind,
        state=TaskState.ASSIGNED,
        title=wanted.title[:300],
        assignee_id=wanted.assignee,
        site=wanted.site,
        zone=incident.zones[0] if len(incident.zones) == 1 else None,
        due_at=wanted.due_at,
        reasons=reasons,
        at=work.now,
    )
    if not await tasks.add(work.conn, work.municipality, event, wanted.subject, work.now):
        return False
    await work.publish(event, key=incident.incident_id, identity=(task_id, 1))
    await _tell(work, incident, event)
    return True


def alert_of(work: Work, incident_id: str, task_id: str) -> str:
    """Return the alert under which the people of a task were told of it."""
    return names.alert_id(work.municipality, incident_id, TASK, task_id)


async def accept(work: Work, task_id: str, person_id: str) -> bool:
    """Note that a brigade goes; say whether that was news."""
    held = await tasks.find(work.conn, work.municipality, task_id)
    if held is None or held.state is not TaskState.ASSIGNED:
        return False
    why = Reason(code="task.accepted", text=f"Respondió «{person_id}».")
    await _update(work, TaskUpdated.model_validate(held.model_dump()), TaskState.ACCEPTED, why)
    return True


async def cancel_all(work: Work, incident_id: str, why: Reason) -> None:
    """End what is still open when its reason ends: no ghost tasks at dawn."""
    for held in await tasks.open_of(work.conn, work.municipality, incident_id):
        await _update(work, TaskUpdated.model_validate(held.model_dump()), TaskState.CANCELLED, why)
        await codes.close(work.conn, work.municipality, [held.task_id], work.now)


async def reach_blocks(work: Work, alert_id: str) -> int:
    """Send somebody with a loudspeaker to every block that a broadcast has not reached; return how many."""
    row = await alerts.find(work.conn, work.municipality, alert_id)
    if row is None or not await _still_says(work, row):
        return 0
    held = await incidents.find(work.conn, work.municipality, row.incident_id)
    if held is None:
        return 0
    given = 0
    async for zone, block, phones, missing in recipients.blocks_unreached(
        work.conn, work.municipality, alert_id
    ):
        if missing / phones > _UNREACHED_SHARE:
            given += await assign(
                work, held.snapshot, _reach(work, zone, block, phones, missing), row.reasons
            )
    return given


async def _still_says(work: Work, row: Alert) -> bool:
    """Say whether the words of a broadcast still hold: nobody shouts what was corrected or lifted."""
    head = await warnings.find(work.conn, work.municipality, row.warning_id or "")
    return (
        head is not None
        and head.state is WarningState.AUTHORISED
        and head.in_force_version == row.warning_version
    )


# More than this share undelivered after five minutes: an antenna or the power is down there.
_UNREACHED_SHARE = 0.3


def _reach(work: Work, zone: str, block: str, phones: int, missing: int) -> TaskPlan:
    catalogue = work.catalogues[work.town.town.languages[0]]
    name = work.town.zone_of[zone].name if zone in work.town.zone_of else zone
    title = catalogue.text("task.reach_block").format(
        block=block, zone=name, undelivered=missing, phones=phones
    )
    return TaskPlan(TaskKind.REACH_BLOCK, f"{zone}/{block}", _brigade(work), title, None, None)


def _brigade(work: Work) -> str:
    brigades = [person for person in work.town.directory if person.role.value == "brigade"]
    return (brigades[0].team or brigades[0].person_id) if brigades else work.town.directory[0].person_id


async def _update(work: Work, held: TaskUpdated, state: TaskState, why: Reason) -> None:
    event = held.model_copy(
        update={"version": held.version + 1, "state": state, "reasons": (why,), "at": work.now}
    )
    await tasks.save(work.conn, work.municipality, event)
    await work.publish(event, key=event.incident_id, identity=(event.task_id, event.version))


async def _tell(work: Work, incident: IncidentSnapshot, event: TaskAssigned) -> None:
    alert_id = alert_of(work, event.incident_id, event.task_id)
    row = Alert(
        alert_id=alert_id,
        incident_id=incident.incident_id,
        incident_version=incident.version,
        level=Level(incident.level),
        purpose=Purpose.TASK,
        state="sent",
        reasons=event.reasons,
        dispatched_at=work.now,
        exercise_id=work.exercise_id,
    )
    await alerts.add(work.conn, work.municipality, row)
    # The title of a block to be reached names its place already; the incident may have more zones.
    place = "" if event.kind is TaskKind.REACH_BLOCK else compose.place(incident, work.town)
    what = f"{event.title}. {place}" if place else event.title
    for person_id in await recipients.team(work.conn, work.municipality, event.assignee_id or ""):
        catalogue = work.catalogue_of(person_id)
        code = await codes.give(
            work.conn,
            work.municipality,
            work.app.cipher.code_key,
            (TASK, event.task_id),
            person_id,
            incident_id=incident.incident_id,
            at=work.now,
            expires_at=work.now + _CODE_LIFE,
        )
        text = catalogue.text("task.text").format(town=work.town.town.name, what=what, code=code)
        message = planned.Message(
            alert_id=alert_id,
            incident_id=incident.incident_id,
            recipient_id=person_id,
            purpose=Purpose.TASK,
            channel=Channel.SMS,
            round=0,
            text=finished(text, work.exercise_id, catalogue),
            language=catalogue.language,
            exercise_id=work.exercise_id,
            correlation_id=work.correlation_id,
        )
        await planned.plan(work.conn, work.municipality, message, work.now)
