"""Do what a crew says of its task. A second crew that wants the same task gets a kind answer, not the task.

The task's row is locked where rows can be: of two crews in one second, one is first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from schemas.events.base import Reason
from schemas.events.tasks import TaskNote, TaskSnapshot
from schemas.vocabulary import TaskKind, TaskNoteKind, TaskState
from services.notify.domain import crews
from services.notify.domain.crew_words import Statement, Word
from services.notify.flows import chasing, crew_messages, reassigning, tasking, withdrawing
from services.notify.flows.outcome import Outcome
from services.notify.outbound import codes, tasks
from services.notify.work import Work

_NOTES: Final = {
    Word.NEED: TaskNoteKind.NEED,
    Word.CLOSURE: TaskNoteKind.CLOSURE,
    Word.NO_WAY: TaskNoteKind.NO_WAY,
}


async def say(work: Work, task_id: str, person_id: str, said: Statement) -> Outcome:
    """Apply one statement of one person to a task."""
    held = await tasks.find(work.conn, work.municipality, task_id)
    if held is None:
        return Outcome("gone")
    if held.kind is TaskKind.WITHDRAW:
        return await withdrawing.answered(work, held, person_id, said)
    over = await _over(work, held, person_id, said.word)
    if over is not None:
        return over
    return await _DOES.get(said.word, _go)(work, held, person_id, said)


async def accept(work: Work, task_id: str, person_id: str) -> Outcome:
    """``OK`` to a task: the crew goes. Silent where all is well, as every OK is."""
    outcome = await say(work, task_id, person_id, Statement(Word.GO))
    return outcome if outcome.name in _WORTH_SAYING else _outcome("acknowledged", None, task_id, outcome)


_WORTH_SAYING: Final = frozenset({"task_cancelled", "task_over", "task_taken", "gone", "withdraw_heard"})


async def _over(work: Work, held: TaskSnapshot, person_id: str, word: Word) -> Outcome | None:
    """Answer who speaks of a task that is over, or that another crew has."""
    parts = {"title": held.title, "reason": held.reasons[0].text if held.reasons else ""}
    if held.state is TaskState.CANCELLED:
        return Outcome("task_cancelled", "reply.task_cancelled", parts, held.task_id, held.incident_id)
    if held.state is TaskState.DONE and word not in _NOTES:
        return Outcome("task_over", "reply.task_over", parts, held.task_id, held.incident_id)
    has_it = held.state in {TaskState.ACCEPTED, TaskState.ON_SCENE}
    if has_it and word not in _NOTES and not crews.speaks_for(work.town, person_id, held.assignee_id):
        parts["crew"] = crews.name_of(work.town, held.assignee_id)
        return Outcome("task_taken", "reply.task_taken", parts, held.task_id, held.incident_id)
    return None


async def _go(work: Work, held: TaskSnapshot, person_id: str, said: Statement) -> Outcome:
    people = said.people if said.people is not None else held.people
    if held.state is TaskState.ASSIGNED or people != held.people:
        state = TaskState.ACCEPTED if held.state is TaskState.ASSIGNED else held.state
        await _take(work, held, person_id, state, people)
    text = "reply.task_accepted" if people is None else "reply.task_accepted_people"
    return await _answer(work, held, person_id, "task_accepted", text, {"people": people})


async def _arrived(work: Work, held: TaskSnapshot, person_id: str, said: Statement) -> Outcome:
    if held.state is not TaskState.ON_SCENE:
        people = said.people if said.people is not None else held.people
        await _take(work, held, person_id, TaskState.ON_SCENE, people)
    return await _answer(work, held, person_id, "task_on_scene", "reply.task_on_scene", {})


async def _done(work: Work, held: TaskSnapshot, person_id: str, said: Statement) -> Outcome:
    await _take(work, held, person_id, TaskState.DONE, held.people)
    await codes.close(work.conn, work.municipality, [held.task_id], work.now)
    return Outcome("task_done", "reply.task_done", {"title": held.title}, held.task_id, held.incident_id)


async def _decline(work: Work, held: TaskSnapshot, person_id: str, said: Statement) -> Outcome:
    parts: dict[str, object] = {"title": held.title}
    if not crews.speaks_for(work.town, person_id, held.assignee_id):
        return Outcome("task_declined", "reply.task_declined", parts, held.task_id, held.incident_id)
    event = await reassigning.declined(work, held, person_id)
    text = "reply.task_declined" if event.assignee_id else "reply.task_declined_last"
    return Outcome("task_declined", text, parts, held.task_id, held.incident_id)


async def _note(work: Work, held: TaskSnapshot, person_id: str, said: Statement) -> Outcome:
    note = TaskNote(kind=_NOTES[said.word], text=said.text, by=person_id, at=work.now)
    why = Reason(code=f"task.{said.word.value}", text=_spelt(work, said))
    notes = (*held.notes, note)[-50:]
    event = await tasking.update(work, held, why, notes=notes)
    told = {"crew": _crew_name(work, person_id), "note": why.text, "title": held.title}
    await crew_messages.tell_coordinator(work, event, "task.told.note", told)
    return Outcome(f"task_{said.word.value}", "reply.task_noted", {}, held.task_id, held.incident_id)


_DOES: Final[Mapping[Word, Callable[[Work, TaskSnapshot, str, Statement], Awaitable[Outcome]]]] = {
    Word.GO: _go,
    Word.OUT: _go,
    Word.ARRIVED: _arrived,
    Word.DONE: _done,
    Word.DECLINE: _decline,
    **dict.fromkeys(_NOTES, _note),
}


async def _take(work: Work, held: TaskSnapshot, person_id: str, state: TaskState, people: int | None) -> None:
    """Move the task on in the name of the person's crew, whichever of those asked that is."""
    mine = [crew for crew in (held.assignee_id, *held.tried) if crews.speaks_for(work.town, person_id, crew)]
    crew = mine[0] if mine else held.assignee_id
    why = Reason(code=f"task.{state.value}", text=f"Respondió «{person_id}».")
    goes_now = state is TaskState.ACCEPTED and held.state is TaskState.ASSIGNED
    due = await chasing.arrive_by(work, held) if goes_now else held.arrive_by
    said = {"assignee_id": crew, "accepted_by": person_id, "people": people, "arrive_by": due}
    event = await tasking.update(work, held, why, state=state, **said)
    if crew != held.assignee_id and held.assignee_id is not None:
        parts = {"crew": crews.name_of(work.town, crew), "title": held.title}
        spared = held.model_copy(update={"version": event.version})
        await crew_messages.tell(work, spared, "task.taken", parts)


async def _answer(
    work: Work, held: TaskSnapshot, person_id: str, name: str, text: str, parts: Mapping[str, object]
) -> Outcome:
    mine = await codes.of_person(work.conn, work.municipality, person_id, work.now, is_open=False)
    code = next((each.code for each in mine if each.subject_id == held.task_id), "")
    return Outcome(name, text, {**parts, "code": code}, held.task_id, held.incident_id)


def _outcome(name: str, text: str | None, task_id: str, like: Outcome) -> Outcome:
    return Outcome(name, text, {}, task_id, like.incident_id)


def _crew_name(work: Work, person_id: str) -> str:
    person = work.town.person_of.get(person_id)
    return person.name if person else person_id


def _spelt(work: Work, said: Statement) -> str:
    texts = work.catalogues[work.town.town.languages[0]]
    return texts.text(f"task.note.{said.word.value}").format(text=said.text).strip()
