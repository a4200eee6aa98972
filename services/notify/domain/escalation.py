"""Whom to ring next while nobody has answered. Pure.

The steps are the town's own (``protocols.yaml``); times count from the start of the escalation. Passing
(``PASO``) or a refused release pulls the next person's step to now; what lay between is skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from schemas.municipality.duty import Step, Who
from schemas.vocabulary import Channel


@dataclass(frozen=True, slots=True)
class Escalation:
    """How far one alert has come.

    Attributes:
        order: Whom to ring, in order: on duty first, then the succession, as it stood at the start.
        taken: Steps taken or skipped so far.
        rung: Place in ``order`` of the person last rung; -1 before the first.
        pulled_s: By how many seconds later steps were pulled forward.
        awake: Who acknowledged but did not decide: not called again for the same question.
    """

    order: tuple[str, ...]
    started_at: datetime
    taken: int = 0
    rung: int = -1
    pulled_s: int = 0
    awake: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ring:
    """One person by one channel. ``round`` is the step's number: a message is unique per person and round."""

    person_id: str
    channel: Channel
    round: int


def due(state: Escalation, steps: Sequence[Step], now: datetime) -> tuple[Escalation, tuple[Ring, ...]]:
    """Return what is to be rung by ``now``, and the state after it."""
    rings: list[Ring] = []
    while state.taken < len(steps) and _at(state, steps[state.taken]) <= now:
        state, step_rings = _take(state, steps[state.taken], _opens_next(state, steps))
        rings += step_rings
    return state, tuple(rings)


def next_at(state: Escalation, steps: Sequence[Step]) -> datetime | None:
    """Return when the next step is due; ``None`` when the town wrote no further one."""
    return _at(state, steps[state.taken]) if state.taken < len(steps) else None


def pull_next(state: Escalation, steps: Sequence[Step], now: datetime) -> Escalation | None:
    """Return the state in which the next person is due now, or ``None`` when nobody is left."""
    if state.rung + 1 >= len(state.order):
        return None
    for place in range(state.taken, len(steps)):
        wakes_next = steps[place].who is Who.NEXT and _is_first_of_person(steps, place)
        if wakes_next or steps[place].who is Who.ALL:
            early = _at(state, steps[place]) - now
            pulled_s = state.pulled_s + max(0, int(early.total_seconds()))
            return replace(state, taken=place, pulled_s=pulled_s)
    return None


def _at(state: Escalation, step: Step) -> datetime:
    return state.started_at + timedelta(seconds=step.after_s - state.pulled_s)


def _opens_next(state: Escalation, steps: Sequence[Step]) -> bool:
    return _is_first_of_person(steps, state.taken)


def _is_first_of_person(steps: Sequence[Step], place: int) -> bool:
    """``next`` twice at the same second is one person by two channels, not two persons."""
    before = steps[place - 1] if place else None
    return not (before and before.who is Who.NEXT and before.after_s == steps[place].after_s)


def _take(state: Escalation, step: Step, opens_next: bool) -> tuple[Escalation, list[Ring]]:
    round_ = state.taken
    state = replace(state, taken=round_ + 1)
    if step.who is Who.ALL:
        state = replace(state, rung=len(state.order) - 1)
        asleep = [person for person in state.order if person not in state.awake]
        return state, [Ring(person, step.channel, round_) for person in asleep]
    if step.who is Who.NEXT:
        if opens_next:
            state = replace(state, rung=state.rung + 1)
        place = state.rung
    else:
        place = 0
        state = replace(state, rung=max(state.rung, 0))
    if place >= len(state.order) or state.order[place] in state.awake:
        return state, []
    return state, [Ring(state.order[place], step.channel, round_)]
