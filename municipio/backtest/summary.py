"""What a backtest comes to per rule: how often, when first, and for how long at each level."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from municipio.backtest.town import Silence
from services.triage.domain.changes import Change
from services.triage.domain.rulebook import Book


def summary(
    book: Book, changes: Sequence[Change], silences: Sequence[Silence], until: datetime | None
) -> list[dict[str, Any]]:
    """Return a row per rule.

    ``n`` counts rises of the condition, of a silence rule its silences.
    """
    rows = [_of_levels(rule_id, changes, until) for rule_id in sorted(book.levels)]
    return rows + [_of_silences(rule_id, silences, until) for rule_id in sorted(book.silences)]


def _of_levels(rule_id: str, changes: Sequence[Change], until: datetime | None) -> dict[str, Any]:
    moves = [
        each
        for each in changes
        if each.kind == "condition"
        and each.rule == rule_id
        and each.provisional
        and each.before != each.after
    ]
    rises = [each for each in moves if (each.after or 0) > (each.before or 0)]
    spent: dict[str, float] = {}
    for at, move in enumerate(moves):
        ends = moves[at + 1].observed_at if at + 1 < len(moves) else until
        if move.after and move.observed_at is not None and ends is not None:
            lasted_s = max(0.0, (ends - move.observed_at).total_seconds())
            spent[str(move.after)] = spent.get(str(move.after), 0.0) + lasted_s
    return {
        "rule": rule_id,
        "n": len(rises),
        "first": rises[0].observed_at if rises else None,
        "time_in_level_s": dict(sorted(spent.items())),
    }


def _of_silences(rule_id: str, silences: Sequence[Silence], until: datetime | None) -> dict[str, Any]:
    mine = [each for each in silences if each.rule == rule_id]
    ends = [each.to or until or each.opened_at for each in mine]
    lasted_s = sum((end - each.since).total_seconds() for end, each in zip(ends, mine, strict=True))
    return {
        "rule": rule_id,
        "n": len(mine),
        "first": min((each.since for each in mine), default=None),
        "time_in_level_s": {"no_data": lasted_s} if mine else {},
    }
