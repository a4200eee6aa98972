"""How good each threshold was: hits, misses, false alarms, lead time.

An alarm is a time for which the condition stood at a level or above, from the moment at which that was
decided. An event is hit when an alarm stood in it or in the day before it began; an alarm that hit nothing
was false. The lead time of a hit is from its first alarm to the event's beginning: negative where the alarm
came late, and a day at most, because an alarm that still stood from the event before foresaw nothing. POD,
the probability of detection, is hits of all events; FAR, the false alarm ratio, is false alarms of all
alarms.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from municipio.backtest.truth import Event
from schemas.municipality import Municipality
from schemas.municipality.rulebook import LevelRule
from services.triage.domain.changes import Change

LEAD_MOST: Final = timedelta(days=1)
_END: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Alarm:
    """From when to when a condition stood at a level or above."""

    begins_at: datetime
    ends_at: datetime

    def hits(self, event: Event) -> bool:
        return self.begins_at < (event.ends_at or _END) and self.ends_at > event.begins_at - LEAD_MOST


def skill(town: Municipality, changes: Sequence[Change], events: Sequence[Event]) -> list[dict[str, Any]]:
    """Return a row per rule and level, in the order of the rulebook's ids."""
    levels: dict[str, set[int]] = {}
    rules: dict[str, LevelRule] = {}
    for rule in town.rulebook.level_rules:
        rules[rule.id] = rule
        levels.setdefault(rule.id, set()).update(int(row.level) for row in rule.levels)
    return [
        _row(rule_id, level, alarms(changes, rule_id, level), _deserved(rules[rule_id], town, events, level))
        for rule_id in sorted(rules)
        for level in sorted(levels[rule_id])
    ]


def alarms(changes: Sequence[Change], rule_id: str, level: int) -> list[Alarm]:
    """Return when a rule's condition stood at ``level`` or above."""
    found, since = [], None
    for change in changes:
        if change.kind != "condition" or change.rule != rule_id or not change.provisional:
            continue
        stands = (change.after or 0) >= level
        if stands and since is None:
            since = change.at
        elif not stands and since is not None:
            found.append(Alarm(since, change.at))
            since = None
    return found if since is None else [*found, Alarm(since, _END)]


def _deserved(rule: LevelRule, town: Municipality, events: Sequence[Event], level: int) -> list[Event]:
    return [each for each in events if each.concerns(rule, town) and each.deserved(level)]


def _row(rule_id: str, level: int, raised: Sequence[Alarm], events: Sequence[Event]) -> dict[str, Any]:
    leads = [
        min(LEAD_MOST, event.begins_at - min(alarm.begins_at for alarm in mine)).total_seconds()
        for event in events
        if (mine := [alarm for alarm in raised if alarm.hits(event)])
    ]
    false = sum(not any(alarm.hits(event) for event in events) for alarm in raised)
    return {
        "rule": rule_id,
        "level": level,
        "events": len(events),
        "hits": len(leads),
        "misses": len(events) - len(leads),
        "false_alarms": false,
        "pod": round(len(leads) / len(events), 3) if events else None,
        "far": round(false / len(raised), 3) if raised else None,
        "lead_time_s": {"least": min(leads), "p50": statistics.median_low(leads), "most": max(leads)}
        if leads
        else None,
    }
