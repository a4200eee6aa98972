"""What the accepted readings mean, worked out a second time and apart from the services. Pure.

One rule at a time, over all of its sensor's readings sorted by ``observed_at``. Per row two counters: how
many readings in a row were at or above ``raise_at``, and how many below ``clear_below``. The level rises to
the highest row whose first counter reached ``confirm``; it leaves the present row when its second counter
did, for the highest lower row that was not left.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import xxhash

from tests.support.oracle.folder import LevelRule, SilenceRule

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CANONICAL = {"river_level": "m", "river_flow": "m3/s", "rain": "mm", "pm25": "ug/m3"}


@dataclass(frozen=True, slots=True)
class Reading:
    """One line of the client's log of what was answered 2xx; ``position`` is its place there."""

    position: int
    sensor_id: str
    measures: str
    value: float
    observed_at: datetime
    quality: str = "good"
    event_id: str | None = None

    @property
    def identity(self) -> tuple[str, ...]:
        if self.event_id is not None:
            return ("event", self.event_id)
        return (self.sensor_id, self.measures, self.observed_at.isoformat())


@dataclass(frozen=True, slots=True)
class Verdict:
    """A condition moved. ``position`` is that of the reading that moved it."""

    rule_id: str
    sensor_id: str
    observed_at: datetime
    before: int
    after: int
    value: float
    position: int
    in_order: bool


@dataclass(frozen=True, slots=True)
class Silence:
    """A sensor said nothing for longer than its rule allows; ``until`` is when it came back, if it did."""

    rule_id: str
    sensor_id: str
    since: datetime
    opened_at: datetime
    until: datetime | None


def readings(accepted: Iterable[Mapping[str, Any]]) -> list[Reading]:
    """Read the log. Values stand in the canonical unit: converting them here could round otherwise.

    Raises:
        ValueError: A value in another unit, or a time without offset.
    """
    read = []
    for position, row in enumerate(accepted):
        unit, canonical = row.get("unit"), CANONICAL.get(row["property"])
        if unit is not None and canonical is not None and unit != canonical:
            raise ValueError(f"accepted[{position}].unit: give {canonical}, not {unit}")
        observed_at = moment(row["observed_at"])
        quality = str(row.get("quality") or "good")
        told = row.get("event_id")
        read.append(
            Reading(
                position,
                row["sensor_id"],
                row["property"],
                float(row["value"]),
                observed_at,
                quality,
                told,
            )
        )
    return read


def distinct(log: Iterable[Reading]) -> list[Reading]:
    """Drop repeats: identity and value again. The same identity with another value is a correction."""
    last: dict[tuple[str, ...], float] = {}
    kept = []
    for reading in log:
        if last.get(reading.identity) != reading.value:
            last[reading.identity] = reading.value
            kept.append(reading)
    return kept


def digests(log: Iterable[Reading]) -> dict[str, dict[str, int]]:
    """Return per sensor the count and the order-independent digest of the distinct readings.

    The digest is the sum modulo 2**64 of XXH3 with 64 bits over two little-endian doubles, the seconds
    since 1970 and the value, seeded with XXH3 over ``sensor_id|property``.
    """
    told: dict[str, dict[str, int]] = defaultdict(lambda: {"count": 0, "digest": 0})
    for reading in distinct(log):
        row = told[reading.sensor_id]
        row["count"] += 1
        row["digest"] = (row["digest"] + digest(reading)) % 2**64
    return dict(told)


def digest(reading: Reading) -> int:
    seconds = (reading.observed_at - EPOCH).total_seconds()
    seed = xxhash.xxh3_64(f"{reading.sensor_id}|{reading.measures}".encode()).intdigest()
    return xxhash.xxh3_64(struct.pack("<dd", seconds, reading.value), seed=seed).intdigest()


def verdicts(log: Sequence[Reading], rules: Sequence[LevelRule]) -> list[Verdict]:
    """Return every settled change of every rule's condition, in the order of the log's readings.

    Several editions of one rule (the same id for other dates) are one condition: the edition in force at
    ``observed_at`` decides, and without one it is normal.
    """
    series = _series(log)
    editions: dict[tuple[str, str], list[LevelRule]] = defaultdict(list)
    for rule in rules:
        editions[rule.id, rule.sensor_id].append(rule)
    found = [
        verdict
        for (_, sensor_id), same in editions.items()
        for verdict in _fold(series.get((sensor_id, same[0].measures), []), same)
    ]
    return sorted(found, key=lambda verdict: (verdict.position, verdict.rule_id))


def silences(
    log: Sequence[Reading], rule: SilenceRule, *, start: datetime | None, until: datetime | None
) -> list[Silence]:
    """Return the gaps longer than the rule allows, also before the first reading and after the last."""
    heard: dict[str, list[datetime]] = {sensor_id: [] for sensor_id in rule.sensors}
    for reading in log:
        if reading.sensor_id in heard and reading.quality == "good":
            heard[reading.sensor_id].append(reading.observed_at)
    found = []
    for sensor_id, times in heard.items():
        ends: list[datetime | None] = [*sorted(set(times)), None]
        since = start
        for end in ends:
            last = end or until
            if since is not None and last is not None and last - since > rule.after:
                found.append(Silence(rule.id, sensor_id, since, since + rule.after, end))
            since = end
    return sorted(found, key=lambda gap: (gap.opened_at, gap.sensor_id))


def moment(told: str | datetime) -> datetime:
    at = told if isinstance(told, datetime) else datetime.fromisoformat(told.replace("Z", "+00:00"))
    if at.tzinfo is None:
        raise ValueError(f"{told}: a time needs its offset")
    return at.astimezone(UTC)


def _series(log: Sequence[Reading]) -> dict[tuple[str, str], list[Reading]]:
    """Return per sensor and property the readings that decide, one per time: of two the later accepted."""
    series: dict[tuple[str, str], dict[datetime, Reading]] = defaultdict(dict)
    for reading in distinct(log):
        if reading.quality == "good":
            series[reading.sensor_id, reading.measures][reading.observed_at] = reading
    return {key: [rows[at] for at in sorted(rows)] for key, rows in series.items()}


def _fold(series: Sequence[Reading], editions: Sequence[LevelRule]) -> list[Verdict]:
    in_order = all(one.position < two.position for one, two in pairwise(series))
    found: list[Verdict] = []
    level, rule = 0, None
    above: dict[int, int] = {}
    below: dict[int, int] = {}
    for reading in series:
        now = next((row for row in editions if row.in_force(reading.observed_at)), None)
        if now is not rule:
            rule, above, below = now, {}, {}
        before = level
        level = 0 if rule is None else _next(rule, level, reading.value, above, below)
        if level != before:
            name = editions[0]
            found.append(
                Verdict(
                    name.id,
                    name.sensor_id,
                    reading.observed_at,
                    before,
                    level,
                    reading.value,
                    reading.position,
                    in_order,
                )
            )
    return found


def _next(rule: LevelRule, level: int, value: float, above: dict[int, int], below: dict[int, int]) -> int:
    """Count this reading for every row, in place, and return the level after it."""
    for row in rule.rows:
        above[row.level] = above.get(row.level, 0) + 1 if value >= row.raise_at else 0
        below[row.level] = below.get(row.level, 0) + 1 if value < row.clear_below else 0
    risen = [row.level for row in rule.rows if above[row.level] >= rule.confirm]
    held = [row.level for row in rule.rows if row.level <= level and below[row.level] < rule.confirm]
    return max([0, *risen, *held])
