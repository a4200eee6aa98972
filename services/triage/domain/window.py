"""The readings of one sensor that may still be joined by an older one, in the order of their time. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from services.triage.domain.level import Standing
from services.triage.domain.rulebook import Levels, SensorRules
from services.triage.domain.state import Kept, SensorState, Track

MAX_WINDOW: Final = 5_000


def edition(in_force: Sequence[Levels], rule_id: str) -> Levels | None:
    """Return the edition of a rule among those in force."""
    for rule in in_force:
        if rule.id == rule_id:
            return rule
    return None


def step(rule: Levels | None, fallback: Levels, before: Standing, value: float) -> Standing:
    """Return the standing after ``value``; a rule that is not in force stands at normal."""
    if rule is None:
        return fallback.ladder.start()
    ladder = rule.ladder
    return ladder.step(ladder.adopt(before), value)


def place(window: list[Kept], kept: Kept) -> int | None:
    """Put a reading where its time belongs and return the place; None when a newer one stands there.

    Of two readings of one time the higher number counts: it was accepted later, as a correction.
    """
    at = bisect_left(window, kept[0], key=lambda other: other[0])
    if at < len(window) and window[at][0] == kept[0]:
        if window[at][1] >= kept[1]:
            return None
        window[at] = kept
    else:
        window.insert(at, kept)
    return at


def refold(rules: SensorRules, window: Sequence[Kept], rule_id: str, track: Track) -> list[Standing]:
    """Fold the window from what is settled; return the standing before it and after each reading."""
    standings = [track.settled]
    for observed_at, _, value, _ in window:
        rule = edition(rules.at(observed_at), rule_id)
        standings.append(step(rule, rules.by_id[rule_id], standings[-1], value))
    return standings


def passed(rules: SensorRules, state: SensorState) -> Sequence[Kept]:
    """Move the watermark and take out of the window what it has passed, oldest first."""
    window = state.window
    watermark = window[-1][0] - rules.lateness
    if len(window) > MAX_WINDOW:
        watermark = max(watermark, window[len(window) - MAX_WINDOW][0])
    if state.watermark is None or watermark > state.watermark:
        state.watermark = watermark
    if window[0][0] >= state.watermark:
        return ()
    end = bisect_left(window, state.watermark, key=lambda kept: kept[0])
    gone = window[:end]
    del window[:end]
    return gone
