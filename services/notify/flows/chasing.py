"""Look after a crew that said it goes: remind it, then tell a coordinator, while nobody says it is there."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from schemas.events.base import Reason
from schemas.events.tasks import TaskSnapshot
from schemas.municipality.duty import ARRIVE_S
from schemas.vocabulary import TaskState
from services.notify.domain import crews
from services.notify.domain.plan import protocol_for
from services.notify.flows import crew_messages, tasking
from services.notify.outbound import incidents, tasks
from services.notify.work import Work

AGAIN: Final = timedelta(minutes=10)
# The crew is reminded each time, a coordinator hears from the second on; then it is theirs.
MOST_TIMES: Final = 3


async def arrive_by(work: Work, task: TaskSnapshot) -> datetime:
    """Return when a crew that goes now should say that it is there, by the town's protocol."""
    held = await incidents.find(work.conn, work.municipality, task.incident_id)
    plans = protocol_for(held.snapshot, work.town).levels if held else ()
    asked = (row.arrive_s for plan in plans for row in plan.tasks if row.title[:300] == task.title)
    return work.now + timedelta(seconds=next(asked, ARRIVE_S))


async def at_time(work: Work, task_id: str, times: int) -> None:
    """Nobody has said that they are there: ask the crew, and from the second time on tell a coordinator."""
    held = await tasks.find(work.conn, work.municipality, task_id)
    if held is None or held.state is not TaskState.ACCEPTED or held.arrive_by is None:
        return
    crew = crews.name_of(work.town, held.assignee_id)
    due = f"{work.town.local(held.arrive_by):%H:%M}"
    why = Reason(code="task.overdue", text=f"{crew} debía estar a las {due} y no dice que llegó.")
    event = await tasking.update(work, held, why)
    await crew_messages.tell(work, event, "task.overdue", {"title": held.title})
    if times > 1:
        parts = {"crew": crew, "title": held.title, "due": due}
        await crew_messages.tell_coordinator(work, event, "task.told.overdue", parts)
    if times < MOST_TIMES:
        timers = work.app.timers
        await timers.set(
            work.conn, work.municipality, tasking.ARRIVE, task_id, str(times + 1), work.now + AGAIN
        )
