"""Ask the next crew when one cannot, or does not answer."""

from __future__ import annotations

from datetime import datetime

from schemas.events.base import Reason
from schemas.events.tasks import TaskSnapshot
from schemas.vocabulary import TaskState
from services.notify.domain import crews
from services.notify.flows import crew_messages, tasking
from services.notify.outbound import codes, incidents, recipients, tasks
from services.notify.work import Work


async def at_deadline(work: Work, task_id: str) -> None:
    """Nobody accepted in time: the next crew is asked, and a coordinator knows."""
    held = await tasks.find(work.conn, work.municipality, task_id)
    if held is None or held.state is not TaskState.ASSIGNED or held.assignee_id is None:
        return
    name = crews.name_of(work.town, held.assignee_id)
    why = Reason(code="task.no_answer", text=f"{name} no respondió a tiempo.")
    await _to_next(work, held, why, told="no_answer")


async def declined(work: Work, held: TaskSnapshot, person_id: str) -> TaskSnapshot:
    """A crew cannot: the next is asked at once."""
    name = crews.name_of(work.town, held.assignee_id)
    why = Reason(code="task.declined", text=f"{name} no puede («{person_id}»).")
    return await _to_next(work, held, why, told="declined")


async def _to_next(work: Work, held: TaskSnapshot, why: Reason, *, told: str) -> TaskSnapshot:
    before = held.assignee_id
    crew = crews.next_crew(work.town, before, held.tried)
    tried = (*held.tried, *((before,) if before else ()))
    changes = {"state": TaskState.ASSIGNED, "accepted_by": None, "people": None, "tried": tried}
    changes |= {"arrive_by": None}
    asked = {"assignee_id": crew, "asked_at": work.now, "due_at": _due_at(work, held) if crew else None}
    event = await tasking.update(work, held, why, **changes, **asked)
    gone = await recipients.team(work.conn, work.municipality, before or "")
    await codes.close_for(work.conn, work.municipality, held.task_id, gone, work.now)
    parts = {"crew": crews.name_of(work.town, before), "title": held.title}
    incident = await incidents.find(work.conn, work.municipality, held.incident_id)
    if crew is None or incident is None:
        await crew_messages.tell_coordinator(work, event, f"task.told.{told}_last", parts)
        return event
    await tasking.ask(work, event, incident.snapshot)
    parts["next"] = crews.name_of(work.town, crew)
    await crew_messages.tell_coordinator(work, event, f"task.told.{told}", parts)
    return event


def _due_at(work: Work, held: TaskSnapshot) -> datetime | None:
    """Return by when the next crew must have accepted: it gets as long as the first one."""
    if held.due_at is None or held.asked_at is None:
        return None
    return work.now + (held.due_at - held.asked_at)
