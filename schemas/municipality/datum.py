"""A threshold counts from a zero: where the gauge gets another one, the row decides nothing any more.

See ADR 0021.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from schemas.municipality.places import Sensor
from schemas.municipality.rulebook import Rule


class Holding(NamedTuple):
    """From when to when a row really holds; ``until`` None: no end is written."""

    since: datetime
    until: datetime | None

    @property
    def is_empty(self) -> bool:
        return self.until is not None and self.until <= self.since


def holding(rule: Rule, sensors: Mapping[str, Sensor]) -> Holding:
    """Return the dates of a row, shortened to the time in which its sensors measure from its zero."""
    since, until = rule.valid_from, rule.valid_to
    for judged in rule.judges():
        sensor = sensors.get(judged.sensor)
        if sensor is None or sensor.datum_since is None:
            continue
        if judged.datum == sensor.datum:
            since = max(since, sensor.datum_since)
        else:
            until = sensor.datum_since if until is None else min(until, sensor.datum_since)
    return Holding(since, until)


def as_it_holds(rule: Rule, sensors: Mapping[str, Sensor]) -> Rule:
    """Return the row with the dates between which it decides."""
    since, until = holding(rule, sensors)
    if (since, until) == (rule.valid_from, rule.valid_to):
        return rule
    return rule.model_copy(update={"valid_from": since, "valid_to": until})
