"""Decide by ticks which sensors have gone silent, and when the next one would. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from services.triage.domain.changes import Change, SensorSilent
from services.triage.domain.folding import Outcome
from services.triage.domain.inputs import Tick
from services.triage.domain.reasons import label, moment, reason, span
from services.triage.domain.rulebook import Book, SensorRules, Silence
from services.triage.domain.state import SensorState

TICK: Final = timedelta(seconds=1)


def fold_tick(
    book: Book, states: dict[str, SensorState], sensors: Iterable[str], tick: Tick, out: Outcome
) -> None:
    """Declare silent what has said nothing usable for longer than its rule allows.

    ``sensors`` are those of this partition that a silence rule watches; one that has no state yet is
    watched from this tick on. A clock that was set back starts the watch of the unheard again.
    """
    for sensor_id in sensors:
        rules = book.sensors[sensor_id]
        state = states.get(sensor_id)
        if state is None:
            state = states[sensor_id] = SensorState(sensor_id)
        if state.watched_from is None or tick.now < state.watched_from:
            state.watched_from = tick.now
            out.touched.add(sensor_id)
        for rule, deadline in _deadlines(rules, state, tick.now):
            if tick.now > deadline:
                state.silent.append(rule.id)
                out.touched.add(sensor_id)
                _declare(book, state, rule, tick, out)


def next_deadline(book: Book, states: Iterable[SensorState], now: datetime) -> datetime | None:
    """Return the first tick that would find another sensor silent if nothing arrived until then."""
    due = (
        deadline
        for state in states
        if state.watched_from is not None and state.sensor_id in book.sensors
        for _, deadline in _deadlines(book.sensors[state.sensor_id], state, now)
    )
    first = min(due, default=None)
    return None if first is None else first + TICK


def _deadlines(rules: SensorRules, state: SensorState, now: datetime) -> Iterator[tuple[Silence, datetime]]:
    """Return the silence rules in force that do not hold the sensor for silent yet, each with its end."""
    since = _since(state)
    if since is None:
        return
    for rule in rules.silences:
        if rule.id not in state.silent and rule.in_force(now):
            yield rule, since + rule.after


def _since(state: SensorState) -> datetime | None:
    return state.newest[0] if state.newest is not None else state.watched_from


def _declare(book: Book, state: SensorState, rule: Silence, tick: Tick, out: Outcome) -> None:
    since = _since(state)
    if since is None:
        return
    out.signals.append(
        SensorSilent(
            at=tick.now,
            rule_id=rule.id,
            sensor_id=state.sensor_id,
            since=since,
            value=state.newest[2] if state.newest else None,
            received_at=state.newest[3] if state.newest else None,
        )
    )
    level = max((track.level for track in state.tracks.values()), default=0)
    words = {"sensor": state.sensor_id, "since": moment(book, since), "after": span(rule.after)}
    heard = state.newest is not None
    why = (
        reason("silence.sensor", level=level, label=label(book, level), **words)
        if heard
        else reason("silence.never", **words)
    )
    out.changes.append(
        Change(
            kind="silence",
            at=tick.now,
            observed_at=since,
            reasons=(why,),
            rule=rule.id,
            sensor_id=state.sensor_id,
            before=level,
            after=level,
            rulebook_version=book.version,
        )
    )
