"""Topic ``tasks``: what brigades and technicians are asked to do."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from schemas.events.base import Event, Id, Moment, Reason
from schemas.vocabulary import TaskKind, TaskState


class TaskSnapshot(Event):
    """A task at one version. ``title`` is in Spanish, as the brigade reads it."""

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


class TaskAssigned(TaskSnapshot):
    TYPE: ClassVar[str] = "task.assigned"


class TaskUpdated(TaskSnapshot):
    TYPE: ClassVar[str] = "task.updated"
