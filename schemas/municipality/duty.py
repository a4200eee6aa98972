"""``protocols.yaml``, ``shifts.yaml``, ``directory.csv``, ``residents.csv``: who is told, in which order."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from schemas.events.base import on_one_line
from schemas.municipality.base import (
    AboveNormal,
    KnownChannel,
    KnownHazard,
    KnownIncidentKind,
    KnownTaskKind,
    Language,
    Line,
    Phone,
    Slug,
    Written,
)
from schemas.municipality.town import Role
from schemas.vocabulary import Hazard, IncidentKind, Level


class Who(StrEnum):
    """Whom a step rings: the first of the roster's order, the one after the last rung, or everybody."""

    ON_DUTY = "on_duty"
    NEXT = "next"
    ALL = "all"


class Step(Written):
    """One step of an escalation, ``after_s`` seconds from its start, taken while nobody has answered."""

    after_s: Annotated[int, Field(ge=0, le=86_400)]
    channel: KnownChannel
    who: Who


ARRIVE_S = 1_800


class PlannedTask(Written):
    """What a brigade or a technician is asked to do; ``title`` in Spanish, as they read it.

    Attributes:
        due_s: Seconds within which somebody accepts, else the next crew is asked.
        arrive_s: Seconds from then on within which they say that they are there, else they are asked.
    """

    kind: KnownTaskKind
    assignee: Slug
    title: Annotated[str, Field(min_length=1, max_length=300)]
    due_s: Annotated[int | None, Field(ge=1)] = None
    arrive_s: Annotated[int, Field(ge=60, le=86_400)] = ARRIVE_S


class LevelPlan(Written):
    """What is done inside the town hall from ``level`` on, until a higher plan takes over."""

    level: AboveNormal
    roster: Slug
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=50)]
    tasks: tuple[PlannedTask, ...] = ()


class WarningPlan(Written):
    """When residents are warned, and how long the words are good for.

    Attributes:
        template: Name of the text in the language catalogue.
        renew_before_min: Minutes before the end at which a person is asked to renew or lift.
        auto_renew_before_min: Minutes before the end at which it renews itself if nobody answered.
    """

    from_level: AboveNormal = Level.ACT
    template: Slug
    valid_hours: Annotated[float, Field(gt=0, le=72)]
    renew_before_min: Annotated[int, Field(ge=1)] = 30
    auto_renew_before_min: Annotated[int, Field(ge=1)] = 5

    @property
    def valid_for(self) -> timedelta:
        return timedelta(hours=self.valid_hours)


class Protocol(Written):
    """What the town does about one hazard, or about the silence of that hazard's sources."""

    hazard: KnownHazard
    kind: KnownIncidentKind = IncidentKind.HAZARD
    levels: Annotated[tuple[LevelPlan, ...], Field(min_length=1, max_length=4)]
    warning: WarningPlan | None = None

    def at(self, level: Level) -> LevelPlan | None:
        """Return the plan of the highest level not above ``level``."""
        reached = [plan for plan in self.levels if plan.level <= level]
        return max(reached, key=lambda plan: plan.level, default=None)


class Protocols(Written):
    """``protocols.yaml``."""

    protocols: Annotated[tuple[Protocol, ...], Field(min_length=1)]

    def of(self, hazard: Hazard, kind: IncidentKind = IncidentKind.HAZARD) -> Protocol | None:
        found = (row for row in self.protocols if row.hazard == hazard and row.kind == kind)
        return next(found, None)


class Day(StrEnum):
    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


WEEK = tuple(Day)


class Shift(Written):
    """Local hours from ``starts`` to ``ends``; an end not after its start lies on the next day."""

    days: Annotated[tuple[Day, ...], Field(min_length=1)]
    starts: time
    ends: time
    on_duty: Annotated[tuple[Slug, ...], Field(min_length=1)]

    def covers(self, local: datetime) -> bool:
        clock, today = local.time().replace(tzinfo=None), WEEK[local.weekday()]
        if self.starts < self.ends:
            return today in self.days and self.starts <= clock < self.ends
        yesterday = WEEK[local.weekday() - 1]
        return (today in self.days and clock >= self.starts) or (yesterday in self.days and clock < self.ends)


class Roster(Written):
    """Who is on duty when; ``succession`` follows when they do not answer."""

    id: Slug
    succession: Annotated[tuple[Slug, ...], Field(min_length=1)]
    shifts: tuple[Shift, ...] = ()

    def order(self, local: datetime) -> tuple[str, ...]:
        """Return whom to ring at this local time, in order: those on duty, then the succession."""
        on_duty = [person for shift in self.shifts if shift.covers(local) for person in shift.on_duty]
        return tuple(dict.fromkeys([*on_duty, *self.succession]))


class Rosters(Written):
    """``shifts.yaml``."""

    rosters: Annotated[tuple[Roster, ...], Field(min_length=1)]


class Person(Written):
    """One row of ``directory.csv``. ``team`` is the brigade that this phone speaks for."""

    person_id: Slug
    name: Line
    role: Role
    phone: Phone
    language: Language = "es"
    team: Annotated[str, Field(max_length=64)] = ""


class Resident(Written):
    """One row of ``residents.csv``: a phone that asked to be told.

    ``distance_m`` is from the danger (the river bank): the nearest are told first.
    """

    resident_id: Slug
    phone: Phone
    zone: Slug
    block: Annotated[str, Field(max_length=64), AfterValidator(on_one_line)] = ""
    distance_m: Annotated[int, Field(ge=0)] = 0
    language: Language = "es"
