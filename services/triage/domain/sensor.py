"""Stage 1: fold one sensor's readings, whatever the order in which they arrive. Pure.

A reading is folded the moment it arrives into its sensor's window, ordered by ``observed_at``
(*provisional*). When the watermark (newest ``observed_at`` minus the lateness) has passed it, it is folded
for good (*settled*) and forgotten. A late reading folds its window again: it may raise, never lower.
"""

from __future__ import annotations

from schemas.fingerprint import MODULUS, fingerprint_of
from services.triage.domain import verdicts
from services.triage.domain.changes import SensorHeard
from services.triage.domain.folding import Folding, Outcome, moved_signal
from services.triage.domain.inputs import GOOD, Reading
from services.triage.domain.late import fold_into_window, fold_very_late
from services.triage.domain.level import Standing, waiting_row
from services.triage.domain.rulebook import Book, Levels
from services.triage.domain.seen import first_time
from services.triage.domain.state import Kept, SensorState, Track
from services.triage.domain.window import edition, passed, step


def fold_reading(book: Book, state: SensorState, reading: Reading, out: Outcome) -> None:
    """Fold one reading into its sensor's state, which is changed in place; a repeat changes nothing."""
    if not _count(state, reading):
        return
    out.touched.add(state.sensor_id)
    rules = book.sensors.get(state.sensor_id)
    if rules is None:
        state.unusable += 1
        return
    folding = Folding(book, rules, state, reading, out, rules.at(reading.observed_at))
    if state.rulebook != book.version:
        _adopt_rulebook(folding)
    if not _decides(folding):
        return
    kept: Kept = (reading.observed_at, reading.n, reading.value, reading.received_at)
    if state.newest is None or kept[0] > state.newest[0]:
        if state.newest is None or state.silent:
            _hear(folding)
        _fold_newest(folding, kept)
    elif state.watermark is None or kept[0] >= state.watermark:
        fold_into_window(folding, kept)
    else:
        fold_very_late(folding)


def _count(state: SensorState, reading: Reading) -> bool:
    """Count a reading that was not seen before; return whether it is one."""
    if reading.n == state.last_n + 1:
        state.last_n = reading.n
    else:
        is_new, state.last_n = first_time(state.last_n, state.gaps, reading.n)
        if not is_new:
            return False
    state.count += 1
    state.digest += fingerprint_of(reading.sensor_id, reading.property, reading.observed_at, reading.value)
    state.digest %= MODULUS
    return True


def _decides(folding: Folding) -> bool:
    """Return whether the reading may decide anything; if not, say so where it would have alerted."""
    rules, reading, in_force = folding.rules, folding.reading, folding.in_force
    if reading.quality == GOOD and reading.property == rules.property:
        for rule in in_force:
            if rule.unit != reading.unit:
                break
        else:
            return True
    state = folding.state
    state.unusable += 1
    folding.out.changes.extend(
        verdicts.not_usable(folding.book, rule, reading, state.tracks[rule.id].level)
        for rule in in_force
        if reading.property == rules.property and reading.value >= rule.lowest
    )
    return False


def _hear(folding: Folding) -> None:
    """Tell stage 2 of a first reading, or of the first one that ends a silence.

    What a gauge stored while it was cut off, and sends now, is older than a silence rule allows: it is
    folded, and the gauge stays silent until something recent arrives.
    """
    state, reading = folding.state, folding.reading
    age = reading.received_at - reading.observed_at
    if state.silent and any(rule.id in state.silent and age > rule.after for rule in folding.rules.silences):
        return
    state.silent = []
    folding.out.signals.append(
        SensorHeard(
            at=reading.received_at,
            sensor_id=reading.sensor_id,
            value=reading.value,
            unit=reading.unit,
            observed_at=reading.observed_at,
            received_at=reading.received_at,
        )
    )


def _fold_newest(folding: Folding, kept: Kept) -> None:
    """Fold a reading that arrives in order: one step per rule."""
    state, rules = folding.state, folding.rules
    state.window.append(kept)
    state.newest = kept
    for rule_id, track in state.tracks.items():
        rule, before = edition(folding.in_force, rule_id), track.provisional
        track.provisional = step(rule, rules.by_id[rule_id], before, kept[2])
        if state.standings:
            state.standings[rule_id].append(track.provisional)
        if rule is not None and rule.ladder.confirm > 1 and before is not track.provisional:
            _say_waiting(folding, rule, before, track)
    for settled in passed(rules, state):
        _settle(folding, settled)
    for rule_id, track in state.tracks.items():
        level = _held(state, track)
        if level != track.level:
            folding.move(rule_id, track, level)


def _held(state: SensorState, track: Track) -> int:
    """Return the condition of a rule that a late reading holds, and let go what the watermark has passed."""
    if track.held_until is not None and state.watermark is not None and track.held_until < state.watermark:
        track.held, track.held_until = 0, None
    return max(track.provisional.level, track.held)


def _settle(folding: Folding, kept: Kept) -> None:
    """Fold a reading for good; say so where that moves the settled level."""
    rules = folding.rules
    in_force = rules.at(kept[0])
    for rule_id, track in folding.state.tracks.items():
        rule, before = edition(in_force, rule_id), track.settled
        track.settled = step(rule, rules.by_id[rule_id], before, kept[2])
        if track.settled.level != before.level:
            folding.out.changes.append(
                verdicts.settled(
                    folding.book,
                    rule or rules.by_id[rule_id],
                    kept,
                    at=folding.reading.received_at,
                    before=before.level,
                    after=track.settled.level,
                )
            )


def _say_waiting(folding: Folding, rule: Levels, before: Standing, track: Track) -> None:
    """Record that a reading reached a level which further readings must confirm."""
    waiting = waiting_row(rule.ladder, rule.ladder.adopt(before), track.provisional)
    if waiting is not None and waiting[0].level > track.level:
        row, count = waiting
        folding.out.changes.append(
            verdicts.waiting(folding.book, rule, folding.reading, level=track.level, row=row, count=count)
        )


def _adopt_rulebook(folding: Folding) -> None:
    """Take up a new version of the rulebook: new rules start at normal, a rule that is gone ends."""
    book, rules, state, reading = folding.book, folding.rules, folding.state, folding.reading
    for rule_id in [known for known in state.tracks if known not in rules.by_id]:
        gone = state.tracks.pop(rule_id)
        if gone.level:
            folding.out.changes.append(verdicts.rule_gone(book, rule_id, reading, gone.level))
            folding.out.signals.append(moved_signal(reading, rule_id, gone.level, 0))
    for rule_id, rule in rules.by_id.items():
        if rule_id not in state.tracks:
            state.tracks[rule_id] = Track(rule.ladder.start(), rule.ladder.start())
    state.rulebook = book.version
    state.standings.clear()
