"""A reading that arrives after a younger one: it may raise, never lower. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from services.triage.domain import verdicts
from services.triage.domain.folding import Folding
from services.triage.domain.rulebook import Levels
from services.triage.domain.state import Kept, Track
from services.triage.domain.window import place, refold, remember_standings

OLDEST_THAT_RAISES: Final = timedelta(hours=24)


def fold_into_window(folding: Folding, kept: Kept) -> None:
    """Fold a late reading or a correction into its place, and all that follows again.

    It raises where it shows a level that nothing around it had shown. Where it would lower, the condition
    is held until the watermark has passed; a late reading that changes neither prolongs no hold.
    """
    state, rules = folding.state, folding.rules
    remember_standings(rules, state)
    placed = place(state.window, kept)
    if placed is None:
        return
    at, in_place = placed
    state.newest = state.window[-1]
    for rule_id, track in state.tracks.items():
        stood = state.standings[rule_id][-1].level
        shown = refold(rules, state, rule_id, at, in_place=in_place)
        track.provisional = state.standings[rule_id][-1]
        _hold(folding, rule_id, track, shown)
        if track.provisional.level < stood:
            _keep(folding, rule_id, track, stood)


def fold_very_late(folding: Folding) -> None:
    """Fold a reading whose place is settled already.

    Its neighbours are forgotten, so such readings confirm one another only; what they show is held.
    """
    reading, newest = folding.reading, folding.state.newest
    too_old = newest is not None and newest[0] - reading.observed_at > OLDEST_THAT_RAISES
    for rule in folding.in_force:
        track = folding.state.tracks[rule.id]
        reached = 0 if too_old else _confirmed(rule, track, reading.value)
        if reached > track.level:
            _hold(folding, rule.id, track, reached)
        elif reading.value >= rule.lowest:
            folding.out.changes.append(
                verdicts.too_late(folding.book, rule, reading, track.level, too_old=too_old)
            )


def _confirmed(rule: Levels, track: Track, value: float) -> int:
    """Count a very late reading; return the highest level that enough of them in a row have reached."""
    rows, confirm = rule.ladder.rows, rule.ladder.confirm
    counts = track.late if len(track.late) == len(rows) else (0,) * len(rows)
    track.late = tuple(
        min(count + 1, confirm) if value >= row.raise_at else 0
        for row, count in zip(rows, counts, strict=True)
    )
    return max(
        (row.level for row, count in zip(rows, track.late, strict=True) if count >= confirm), default=0
    )


def _keep(folding: Folding, rule_id: str, track: Track, stood: int) -> None:
    """Say that a late reading would lower, and hold what stood."""
    rule = folding.rules.by_id[rule_id]
    folding.out.changes.append(verdicts.kept_though_late(folding.book, rule, folding.reading, track.level))
    _hold(folding, rule_id, track, stood)


def _hold(folding: Folding, rule_id: str, track: Track, shown: int) -> None:
    """Hold a level above the present fold until the watermark has passed; never below what is held."""
    newest = folding.state.newest
    if shown > track.provisional.level and newest is not None:
        track.held, track.held_until = max(track.held, shown), newest[0]
    level = max(track.level, track.held, track.provisional.level)
    if level != track.level:
        folding.move(rule_id, track, level, is_revision=True)
