"""REPLIEGUE: call every crew out, overtaking everything, and count who has come out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from schemas.events.base import Reason
from schemas.events.incidents import IncidentSnapshot
from schemas.events.tasks import TaskAssigned, TaskSnapshot
from schemas.vocabulary import Channel, Purpose, TaskKind, TaskState
from services.notify.domain import crews, names
from services.notify.domain.crew_words import Statement, Word
from services.notify.flows import crew_messages, tasking
from services.notify.flows.outcome import Outcome
from services.notify.outbound import codes, tasks
from services.notify.work import Work

HEADCOUNT: Final = "headcount"
RING_EVERY: Final = timedelta(seconds=120)
MOST_RINGS: Final = 5
_OUT: Final = frozenset({Word.OUT, Word.DONE})


async def order(
    work: Work, incident: IncidentSnapshot, decision_id: str, ordered_by: str | None
) -> tuple[str, ...]:
    """Call out every crew with an open task of the incident, or every crew when none has; return which.

    A crew that was called out before and has not said that it is out is called anew.

    Their tasks end; each crew's way out is a task of its own, done when it says how many are out.
    """
    open_ones = await tasks.open_of(work.conn, work.municipality, incident.incident_id)
    called = await tasks.open_of(work.conn, work.municipality, incident.incident_id, TaskKind.WITHDRAW)
    there = [task.assignee_id for task in (*open_ones, *called) if task.assignee_id is not None]
    wanted = _distinct(work, there or [*crews.crews_of(work.town)])
    why = Reason(code="task.withdrawn", text="Se ordenó el repliegue.")
    for task in open_ones:
        await tasking.cancel(work, task, why, tell=False)
    for crew in wanted:
        again = next((task for task in called if crews.same_crew(work.town, task.assignee_id, crew)), None)
        if again is None:
            await _call_out(work, incident, crew, decision_id, ordered_by, _went(work, open_ones, crew))
        else:
            await _call_again(work, again)
    timers = work.app.timers
    await timers.set(
        work.conn, work.municipality, HEADCOUNT, incident.incident_id, "1", work.now + RING_EVERY
    )
    return wanted


async def answered(work: Work, held: TaskSnapshot, person_id: str, said: Statement) -> Outcome:
    """Take what a crew says on its way out; its head-count ends its part."""
    if said.word not in _OUT:
        if held.state is TaskState.ASSIGNED:
            why = Reason(code="task.heard", text=f"«{person_id}» oyó la orden; falta saber si salieron.")
            await tasking.update(work, held, why, state=TaskState.ACCEPTED, accepted_by=person_id)
        return _outcome(
            held, "withdraw_heard", "reply.withdraw_heard", {"code": await _code(work, held, person_id)}
        )
    if said.people is None:
        return _outcome(
            held, "withdraw_how_many", "reply.withdraw_how_many", {"code": await _code(work, held, person_id)}
        )
    why = Reason(code="task.out", text=f"Salieron {said.people}, dijo «{person_id}».")
    event = await tasking.update(
        work, held, why, state=TaskState.DONE, people=said.people, accepted_by=person_id
    )
    await codes.close(work.conn, work.municipality, [held.task_id], work.now)
    await _tell_of(work, event)
    return _outcome(held, "withdraw_out", "reply.withdraw_out", {"people": said.people})


async def ring_again(work: Work, incident_id: str, step: int) -> None:
    """Ring those who have not said that they are out, and tell who ordered it who is missing."""
    missing = await tasks.open_of(work.conn, work.municipality, incident_id, TaskKind.WITHDRAW)
    if not missing:
        return
    for task in missing:
        await _ring(work, task, step)
    await _tell_coordinator(
        work, missing[0], "withdraw.told.missing", ("ring", missing[0].version, step, missing[0].task_id)
    )
    if step < MOST_RINGS:
        timers = work.app.timers
        due_at = work.now + RING_EVERY
        await timers.set(work.conn, work.municipality, HEADCOUNT, incident_id, str(step + 1), due_at)


async def _call_out(
    work: Work,
    incident: IncidentSnapshot,
    crew: str,
    decision_id: str,
    ordered_by: str | None,
    went: int | None,
) -> None:
    why = Reason(code="task.withdraw", text="Se ordenó el repliegue.")
    event = TaskAssigned(
        task_id=names.derived("withdraw", work.municipality, incident.incident_id, crew, decision_id),
        version=1,
        incident_id=incident.incident_id,
        kind=TaskKind.WITHDRAW,
        state=TaskState.ASSIGNED,
        title="Repliegue",
        assignee_id=crew,
        reasons=(why,),
        at=work.now,
        asked_at=work.now,
        went=went,
        requested_by=ordered_by,
    )
    subject = names.derived(crew, decision_id)
    if not await tasks.add(work.conn, work.municipality, event, subject, work.now):
        return
    await work.publish(event, key=incident.incident_id, identity=(event.task_id, 1))
    await crew_messages.tell(
        work, event, "withdraw.text", {}, incident=incident, purpose=Purpose.WITHDRAW, round_=0
    )
    await _ring(work, event, 0)


async def _call_again(work: Work, held: TaskSnapshot) -> None:
    """Say and ring it anew to a crew that was called out before and has not said that it is out."""
    why = Reason(code="task.withdraw_again", text="Se ordenó otra vez el repliegue.")
    event = await tasking.update(work, held, why)
    await crew_messages.tell(
        work, event, "withdraw.text", {}, purpose=Purpose.WITHDRAW, round_=_round(event, 0)
    )
    await _ring(work, event, 0)


def _round(task: TaskSnapshot, step: int) -> int:
    """Return a round that no earlier version of the task has rung."""
    return (task.version - 1) * (MOST_RINGS + 1) + step


async def _ring(work: Work, task: TaskSnapshot, step: int) -> None:
    await crew_messages.tell(
        work,
        task,
        "withdraw.voice",
        {},
        purpose=Purpose.WITHDRAW,
        channel=Channel.VOICE,
        round_=_round(task, step),
    )


async def _tell_of(work: Work, event: TaskSnapshot) -> None:
    """Tell who ordered it when fewer came out than went in, and when all crews are out."""
    if event.went is not None and (event.people or 0) < event.went:
        short = {
            "crew": crews.name_of(work.town, event.assignee_id),
            "people": event.people,
            "went": event.went,
        }
        await crew_messages.tell_coordinator(
            work,
            event,
            "withdraw.told.short",
            short,
            person_id=event.requested_by,
            purpose=Purpose.WITHDRAW,
        )
    if await tasks.open_of(work.conn, work.municipality, event.incident_id, TaskKind.WITHDRAW):
        return
    await work.app.timers.cancel(work.conn, work.municipality, HEADCOUNT, event.incident_id)
    await _tell_coordinator(work, event, "withdraw.told.complete", ("out", event.task_id, event.version))


async def _tell_coordinator(work: Work, task: TaskSnapshot, text: str, which: object) -> None:
    everybody = [
        each
        for each in await tasks.all_of(work.conn, work.municipality, task.incident_id)
        if each.kind is TaskKind.WITHDRAW
    ]
    out = [each for each in everybody if each.state is TaskState.DONE]
    missing = [each for each in everybody if each.state in tasks.LIVE]
    parts = {
        "missing": ", ".join(crews.name_of(work.town, each.assignee_id) for each in missing),
        "out": ", ".join(f"{crews.name_of(work.town, each.assignee_id)} {each.people}" for each in out)
        or "-",
        "people": sum(each.people or 0 for each in out),
    }
    await crew_messages.tell_coordinator(
        work, task, text, parts, person_id=task.requested_by, purpose=Purpose.WITHDRAW, which=which
    )


def _went(work: Work, open_ones: Sequence[TaskSnapshot], crew: str) -> int | None:
    """Return how many the crew said went, where it said so for any of its tasks."""
    said = [
        task.people
        for task in open_ones
        if task.people is not None and crews.same_crew(work.town, task.assignee_id, crew)
    ]
    return max(said, default=None)


def _distinct(work: Work, wanted: Sequence[str]) -> tuple[str, ...]:
    found: list[str] = []
    for crew in wanted:
        if not any(crews.same_crew(work.town, crew, before) for before in found):
            found.append(crew)
    return tuple(found)


async def _code(work: Work, held: TaskSnapshot, person_id: str) -> str:
    mine = await codes.of_person(work.conn, work.municipality, person_id, work.now, is_open=False)
    return next((each.code for each in mine if each.subject_id == held.task_id), "")


def _outcome(held: TaskSnapshot, name: str, text: str, parts: dict[str, object]) -> Outcome:
    return Outcome(name, text, parts, held.task_id, held.incident_id)
