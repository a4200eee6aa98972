"""The two stages as one: what the live handlers and the backtest both call. Pure.

``fold`` takes inputs in the order of record. The live service runs the same two functions apart, because
stage 1 needs no lock and stage 2 holds the town's row: ``fold_sensors`` over a batch, then ``decide_all``
over what it signals.
"""

from __future__ import annotations

from collections.abc import Iterable

from services.triage.domain.changes import Change, Signal
from services.triage.domain.decisions import Ruled, rule_on
from services.triage.domain.folding import Outcome
from services.triage.domain.incident import publish
from services.triage.domain.inputs import Decision, Input, Reading, Report, Tick
from services.triage.domain.report import judge
from services.triage.domain.rulebook import Book
from services.triage.domain.sensor import fold_reading
from services.triage.domain.silence import fold_tick
from services.triage.domain.state import SensorState, State, TownState
from services.triage.domain.town import decide


def fold(book: Book, state: State, inputs: Iterable[Input]) -> tuple[State, list[Change]]:
    """Fold inputs into a municipality's state; return it with what changed and why.

    ``state`` is changed in place and returned: keep a copy by encoding it. Splitting ``inputs`` anywhere,
    or saving and loading the state between, changes nothing.
    """
    changes: list[Change] = []
    watched = watched_sensors(book)
    for each in inputs:
        if isinstance(each, Decision):
            ruled = rule_on(book, state.town, each)
            changes.extend(ruled.changes or (refusal(book, each, ruled),))
            continue
        if isinstance(each, Report):
            changes.extend(judge(book, state.town, each).changes)
            continue
        out = fold_sensors(book, state.sensors, [each], watched)
        changes.extend(out.changes)
        changes.extend(decide_all(book, state.town, out.signals))
    return state, changes


def fold_sensors(
    book: Book, sensors: dict[str, SensorState], inputs: Iterable[Reading | Tick], watched: Iterable[str]
) -> Outcome:
    """Run stage 1 over readings and ticks; ``sensors`` is changed in place.

    ``watched``: the sensors whose silence ticks decide here; those of one partition in the live service.
    """
    out = Outcome()
    for each in inputs:
        if isinstance(each, Reading):
            state = sensors.get(each.sensor_id)
            if state is None:
                state = sensors[each.sensor_id] = SensorState(each.sensor_id)
            fold_reading(book, state, each, out)
        else:
            fold_tick(book, sensors, watched, each, out=out)
    return out


def decide_all(book: Book, town: TownState, signals: Iterable[Signal]) -> list[Change]:
    """Run stage 2 over the signals of stage 1, in their order; ``town`` is changed in place.

    An incident gets one version, whatever the number of signals that bear on it.
    """
    return publish(book, town, [news for signal in signals for news in decide(book, town, signal)])


def watched_sensors(book: Book) -> tuple[str, ...]:
    """Return every sensor that a silence rule watches."""
    return tuple(sensor_id for sensor_id, rules in book.sensors.items() if rules.silences)


def refusal(book: Book, decision: Decision, ruled: Ruled) -> Change:
    """Return the record of a decision that was not applied."""
    return Change(
        kind="decision",
        at=decision.at,
        observed_at=None,
        reasons=ruled.reasons,
        simulated=decision.simulated,
        rulebook_version=book.version,
        incident_id=decision.incident_id,
    )
