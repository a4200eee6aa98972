"""The readings of one sensor that may still be joined by an older one, in the order of their time. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import islice
from typing import Final

from services.triage.domain.level import Standing
from services.triage.domain.rulebook import Levels, SensorRules
from services.triage.domain.state import Kept, SensorState

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


def place(window: list[Kept], kept: Kept) -> tuple[int, bool] | None:
    """Put a reading where its time belongs; return the place, and whether it took another's.

    Of two readings of one time the higher number counts: it was accepted later, as a correction. None when
    the newer one stands there already.
    """
    at = bisect_left(window, kept[0], key=lambda other: other[0])
    if at == len(window) or window[at][0] != kept[0]:
        window.insert(at, kept)
        return at, False
    if window[at][1] >= kept[1]:
        return None
    window[at] = kept
    return at, True


def remember_standings(rules: SensorRules, state: SensorState) -> None:
    """Fold the window from what is settled, unless its standings are known."""
    if state.standings:
        return
    for rule_id, track in state.tracks.items():
        standings = state.standings[rule_id] = [track.settled]
        for kept in state.window:
            standings.append(_after(rules, rule_id, standings[-1], kept))


def refold(rules: SensorRules, state: SensorState, rule_id: str, at: int, *, in_place: bool) -> int:
    """Fold again from a late reading's place to where it makes no more difference.

    Return the level that this shows and that nothing from there on had shown, else 0.
    """
    standings, fresh, end = state.standings[rule_id], [], at + in_place
    standing = standings[at]
    for kept in islice(state.window, at, None):
        standing = _after(rules, rule_id, standing, kept)
        fresh.append(standing)
        end += 1
        if standing == standings[end - 1]:
            break
    shown = max(one.level for one in fresh)
    is_known = any(one.level >= shown for one in standings[at:end])
    if not is_known:
        is_known = any(one.level >= shown for one in standings[end:])
    standings[at + 1 : end] = fresh
    return 0 if is_known else shown


def _after(rules: SensorRules, rule_id: str, before: Standing, kept: Kept) -> Standing:
    return step(edition(rules.at(kept[0]), rule_id), rules.by_id[rule_id], before, kept[2])


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
    for standings in state.standings.values():
        del standings[:end]
    return gone
