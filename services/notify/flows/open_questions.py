"""Find what a person means who writes a word without its code."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from schemas.events.tasks import TaskSnapshot
from schemas.vocabulary import IncidentState, TaskKind, TaskState
from services.notify.domain.crew_words import Word
from services.notify.domain.replies import Say
from services.notify.flows.outcome import Outcome
from services.notify.flows.tasking import TASK
from services.notify.outbound import alerts, codes, incidents, requests, tasks
from services.notify.outbound.codes import Code
from services.notify.work import Work

REQUEST: Final = "request"
# A yes may be on its way to a question that was replaced meanwhile: then it needs its code.
_LATELY: Final = timedelta(minutes=15)

_ASSIGNED: Final = frozenset({TaskState.ASSIGNED})
_UNDER_WAY: Final = frozenset({TaskState.ACCEPTED, TaskState.ON_SCENE})
# In which states a task is meant, the likeliest first.
_MEANT: Final[dict[Word, tuple[frozenset[TaskState], ...]]] = {
    Word.GO: (_ASSIGNED, _UNDER_WAY),
    Word.DECLINE: (_ASSIGNED, _UNDER_WAY),
    Word.ARRIVED: (frozenset({TaskState.ACCEPTED}), _ASSIGNED),
    Word.DONE: (frozenset({TaskState.ON_SCENE}), frozenset({TaskState.ACCEPTED}), _ASSIGNED),
    Word.OUT: (_ASSIGNED | _UNDER_WAY,),
}


async def any_open(work: Work, person_id: str) -> bool:
    return bool(await codes.of_person(work.conn, work.municipality, person_id, work.now))


async def only_one(work: Work, person_id: str, say: Say) -> str | None:
    """Return the code of the one open thing that the word can be about; ``None``: of none, or of several.

    A yes or no is only about a request of authority that this phone was sent, with no other one lately.
    """
    mine = await codes.of_person(work.conn, work.municipality, person_id, work.now)
    if say in {Say.APPROVE, Say.REJECT}:
        since = work.now - _LATELY
        lately = await codes.asked_lately(work.conn, work.municipality, person_id, since)
        mine = [code for code in mine if code.subject_kind == REQUEST]
        if len(lately) != 1 or len(mine) != 1 or not await _was_sent(work, mine[0]):
            return None
    return mine[0].code if len(mine) == 1 else None


async def task_meant(work: Work, person_id: str, word: Word) -> Code | Outcome:
    """Return the code of the task that a crew speaks of, or what to answer when nobody can know."""
    if word is Word.WITHDRAW:
        return await _incident_meant(work, person_id)
    mine = await codes.of_person(work.conn, work.municipality, person_id, work.now)
    held = [(code, task) for code in mine if (task := await _task(work, code)) is not None]
    out = [code for code, task in held if task.kind is TaskKind.WITHDRAW]
    if out:  # ordered out, whatever they write is about that
        return out[0]
    if word not in _MEANT:
        return held[0][0] if held else await _last(work, person_id)
    for states in _MEANT[word]:
        fitting = [code for code, task in held if task.state in states]
        if len(fitting) > 1:
            return Outcome("which_task", "reply.which_task")
        if fitting:
            return fitting[0]
    return await _last(work, person_id)


async def _incident_meant(work: Work, person_id: str) -> Code | Outcome:
    mine = await codes.of_person(work.conn, work.municipality, person_id, work.now, is_open=False)
    by_incident = {code.incident_id: code for code in reversed(mine)}
    open_ones = [code for incident_id, code in by_incident.items() if await _is_open(work, incident_id)]
    if len(open_ones) == 1:
        return open_ones[0]
    return Outcome("which_question", "reply.which_question")


async def _last(work: Work, person_id: str) -> Code | Outcome:
    """Return the last task that this phone was asked, over or not: it gets an answer that says so."""
    before = await codes.of_person(work.conn, work.municipality, person_id, work.now, is_open=False)
    asked: Sequence[Code] = [code for code in before if code.subject_kind == TASK]
    return asked[0] if asked else Outcome("unknown", "reply.unknown_person")


async def _task(work: Work, code: Code) -> TaskSnapshot | None:
    if code.subject_kind != TASK:
        return None
    return await tasks.find(work.conn, work.municipality, code.subject_id)


async def _is_open(work: Work, incident_id: str) -> bool:
    held = await incidents.find(work.conn, work.municipality, incident_id)
    return held is not None and held.snapshot.state is not IncidentState.CLOSED


async def _was_sent(work: Work, code: Code) -> bool:
    request = await requests.find(work.conn, work.municipality, code.subject_id)
    return request is not None and await alerts.was_told(
        work.conn, work.municipality, request.alert_id, code.person_id
    )
