"""Give brigades and technicians their tasks, and take them back when the reason ends."""

from __future__ import annotations

from typing import Any, Final

from schemas.events.base import Reason
from schemas.events.incidents import IncidentSnapshot
from schemas.events.tasks import TaskAssigned, TaskSnapshot, TaskUpdated
from schemas.vocabulary import MessageState, TaskKind, TaskState, WarningState
from services.notify.domain import names
from services.notify.domain.plan import TaskPlan, protocol_for
from services.notify.flows import crew_messages
from services.notify.outbound import alerts, codes, incidents, recipients, tasks, warnings
from services.notify.outbound.alerts import Alert
from services.notify.tables import delivery
from services.notify.work import Work

TASK: Final = crew_messages.TASK
DUE: Final = "task_due"
ARRIVE: Final = "task_arrive"
LEVEL_FELL: Final = "task.level_fell"


async def assign(
    work: Work, incident: IncidentSnapshot, wanted: TaskPlan, reasons: tuple[Reason, ...]
) -> bool:
    """Give a task once per incident, kind and thing; say whether somebody was asked.

    One that ended because the level fell is given again when the level is back.
    """
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
        level=wanted.level,
        asked_at=work.now,
    )
    if not await tasks.add(work.conn, work.municipality, event, wanted.subject, work.now):
        return await _again(work, incident, event)
    await work.publish(event, key=incident.incident_id, identity=(task_id, 1))
    await ask(work, event, incident)
    return True


async def ask(work: Work, task: TaskSnapshot, incident: IncidentSnapshot) -> None:
    """Ask the crew that the task names now, and come back when nobody has accepted by its due time."""
    await crew_messages.ask(work, task, incident)
    if task.due_at is not None:
        timers = work.app.timers
        await timers.set(work.conn, work.municipality, DUE, task.task_id, "accept", task.due_at)


async def update(work: Work, held: TaskSnapshot, why: Reason, **changes: Any) -> TaskUpdated:
    """Keep and publish the next version of a task, and return it.

    Args:
        work: The transaction.
        held: As it stands, its row locked.
        why: The reason of this version.
        changes: Fields of the snapshot; any field, hence ``Any``.
    """
    new = {"version": held.version + 1, "reasons": (why,), "at": work.now} | changes
    event = TaskUpdated.model_validate(held.model_dump() | new)
    await tasks.save(work.conn, work.municipality, event)
    await work.publish(event, key=event.incident_id, identity=(event.task_id, event.version))
    await _watch(work, held, event)
    return event


async def _watch(work: Work, held: TaskSnapshot, event: TaskSnapshot) -> None:
    """Wait for a crew that goes to say that it is there; forget what is no longer waited for."""
    timers = work.app.timers
    if event.state is not TaskState.ASSIGNED:
        await timers.cancel(work.conn, work.municipality, DUE, event.task_id)
    if event.state is not TaskState.ACCEPTED:
        await timers.cancel(work.conn, work.municipality, ARRIVE, event.task_id)
    elif event.arrive_by is not None and event.arrive_by != held.arrive_by:
        await timers.set(work.conn, work.municipality, ARRIVE, event.task_id, "1", event.arrive_by)


async def cancel(work: Work, held: TaskSnapshot, why: Reason, *, tell: bool = True) -> None:
    """End a task that is not done; who was told of it is told that it is over: no ghost tasks at dawn."""
    over = await update(work, held, why, state=TaskState.CANCELLED)
    await codes.close(work.conn, work.municipality, [held.task_id], work.now)
    alert_id = crew_messages.alert_of(work, held, held.assignee_id)
    mine = delivery.c.alert_id == alert_id
    await work.app.deliveries.take_back(work.conn, work.municipality, MessageState.WITHDRAWN, mine)
    if tell and await alerts.was_told(work.conn, work.municipality, alert_id):
        await crew_messages.tell(work, over, "task.cancelled", {"title": held.title, "reason": why.text})


async def cancel_all(work: Work, incident_id: str, why: Reason) -> None:
    """End what is still open when the incident does. Who is still out there stays somebody's business."""
    for held in await tasks.open_of(work.conn, work.municipality, incident_id):
        await cancel(work, held, why)


async def cancel_above(work: Work, incident: IncidentSnapshot) -> None:
    """End what was asked for at a level from which the incident has come down."""
    plan = protocol_for(incident, work.town).at(incident.level)
    level = plan.level if plan else incident.level
    why = Reason(code=LEVEL_FELL, text=f"El incidente bajó a nivel {int(incident.level)}.")
    for held in await tasks.open_of(work.conn, work.municipality, incident.incident_id):
        if held.level is not None and held.level > level:
            await cancel(work, held, why)


async def of_alert(work: Work, row: Alert) -> TaskSnapshot | None:
    """Return the task that a message was about."""
    for held in await tasks.all_of(work.conn, work.municipality, row.incident_id):
        asked = (held.assignee_id, *held.tried)
        if row.alert_id in {crew_messages.alert_of(work, held, crew) for crew in asked}:
            return held
    return None


async def _again(work: Work, incident: IncidentSnapshot, wanted: TaskAssigned) -> bool:
    held = await tasks.find(work.conn, work.municipality, wanted.task_id)
    if held is None or held.state is not TaskState.CANCELLED:
        return False
    if not any(reason.code == LEVEL_FELL for reason in held.reasons):
        return False
    why = Reason(code="task.level_back", text=f"El incidente volvió a nivel {int(incident.level)}.")
    fresh = {"assignee_id": wanted.assignee_id, "due_at": wanted.due_at, "asked_at": work.now}
    nobody = {"tried": (), "accepted_by": None, "people": None, "arrive_by": None}
    event = await update(work, held, why, state=TaskState.ASSIGNED, **fresh, **nobody)
    await ask(work, event, incident)
    return True


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
