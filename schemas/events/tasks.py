"""Topic ``tasks``: what brigades and technicians are asked to do.

In the words of EDXL-RM: ``assigned`` is a resource *requested* of a crew, ``accepted`` *committed*,
``on_scene`` *deployed*, ``done`` and ``cancelled`` *released*.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from schemas.events.base import Event, Id, Moment, Part, Reason
from schemas.vocabulary import Level, TaskKind, TaskNoteKind, TaskState


class TaskNote(Part):
    """What a crew said from the field: ``2 LANCHAS``, ``CALLE 3``."""

    kind: TaskNoteKind
    text: Annotated[str, Field(max_length=160)]
    by: Id
    at: Moment


class TaskSnapshot(Event):
    """A task at one version. ``title`` is in Spanish, as the brigade reads it.

    Attributes:
        assignee_id: The crew, or the person, that is asked now; none when everybody asked could not.
        level: Level of the plan that asks for it; the task ends when the incident falls below.
        due_at: By when somebody must have accepted; then the next crew is asked.
        asked_at: When the present crew was asked.
        arrive_by: By when a crew that accepted says that it is there; then it is asked, a coordinator told.
        tried: Crews that were asked before and could not, or did not answer.
        accepted_by: The person who answered for the crew.
        people: How many people went; for a withdrawal, how many came out.
        went: For a withdrawal: how many had gone in, as far as their crew said.
        requested_by: For a withdrawal: the person who ordered it, who is told who is missing.
    """

    task_id: Id
    version: Annotated[int, Field(ge=1)]
    incident_id: Id
    kind: TaskKind
    state: TaskState
    title: Annotated[str, Field(max_length=300)]
    assignee_id: Id | None = None
    site: Id | None = None
    zone: Id | None = None
    due_at: Moment | None = None
    reasons: tuple[Reason, ...] = ()
    at: Moment
    level: Level | None = None
    asked_at: Moment | None = None
    arrive_by: Moment | None = None
    tried: tuple[Id, ...] = ()
    accepted_by: Id | None = None
    people: Annotated[int | None, Field(ge=0)] = None
    went: Annotated[int | None, Field(ge=0)] = None
    requested_by: Id | None = None
    notes: Annotated[tuple[TaskNote, ...], Field(max_length=50)] = ()


class TaskAssigned(TaskSnapshot):
    TYPE: ClassVar[str] = "task.assigned"


class TaskUpdated(TaskSnapshot):
    TYPE: ClassVar[str] = "task.updated"
