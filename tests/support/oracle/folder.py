"""A municipality's folder, read raw and apart from the services' own reader. No checks: they are theirs."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ruamel.yaml import YAML

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SPAN = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


@dataclass(frozen=True, slots=True)
class Row:
    level: int
    raise_at: float
    clear_below: float


@dataclass(frozen=True, slots=True)
class LevelRule:
    id: str
    sensor_id: str
    measures: str
    hazard: str
    zones: frozenset[str]
    confirm: int
    rows: tuple[Row, ...]
    valid_from: datetime
    valid_to: datetime | None = None

    def in_force(self, at: datetime) -> bool:
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)


@dataclass(frozen=True, slots=True)
class SilenceRule:
    """``sensors`` are those it watches; ``level`` that of the incident."""

    id: str
    hazard: str
    sensors: tuple[str, ...]
    after: timedelta
    level: int


@dataclass(frozen=True, slots=True)
class Step:
    after_s: int
    channel: str
    who: str


@dataclass(frozen=True, slots=True)
class LevelPlan:
    level: int
    roster: str
    steps: tuple[Step, ...]
    assignees: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Protocol:
    """``warn_from`` is the level from which residents are warned; ``None``: never."""

    hazard: str
    kind: str
    plans: tuple[LevelPlan, ...]
    warn_from: int | None

    def at(self, level: int) -> LevelPlan | None:
        return max((plan for plan in self.plans if plan.level <= level), key=lambda p: p.level, default=None)


@dataclass(frozen=True, slots=True)
class Shift:
    days: frozenset[str]
    starts: time
    ends: time
    on_duty: tuple[str, ...]

    def covers(self, local: datetime) -> bool:
        clock, day = local.time(), DAYS[local.weekday()]
        if self.starts < self.ends:
            return day in self.days and self.starts <= clock < self.ends
        return (day in self.days and clock >= self.starts) or (
            DAYS[local.weekday() - 1] in self.days and clock < self.ends
        )


@dataclass(frozen=True, slots=True)
class Roster:
    succession: tuple[str, ...]
    shifts: tuple[Shift, ...]

    def order(self, local: datetime) -> tuple[str, ...]:
        naive = local.replace(tzinfo=None)
        on_duty = [person for shift in self.shifts if shift.covers(naive) for person in shift.on_duty]
        return tuple(dict.fromkeys([*on_duty, *self.succession]))


@dataclass(frozen=True, slots=True)
class Release:
    """A resolution that lets a warning go out when nobody answers."""

    hazard: str
    min_level: int
    min_sources: int
    zones: frozenset[str]
    valid_from: datetime
    valid_to: datetime
    after_s: int

    def fits(self, hazard: str, level: int, zones: frozenset[str], sources: int, at: datetime) -> bool:
        return (
            hazard == self.hazard
            and level >= self.min_level
            and sources >= self.min_sources
            and (not self.zones or zones <= self.zones)
            and self.valid_from <= at < self.valid_to
        )


@dataclass(frozen=True, slots=True)
class Town:
    """What the oracle needs of a town.

    Attributes:
        people: Phones by id, like ``residents``.
        sender: The number that its messages come from.
        source: How its warnings begin: who speaks.
    """

    id: str
    zone_name: ZoneInfo
    level_rules: tuple[LevelRule, ...]
    silence_rules: tuple[SilenceRule, ...]
    protocols: tuple[Protocol, ...]
    rosters: Mapping[str, Roster]
    releases: tuple[Release, ...]
    site_of: Mapping[str, str]
    people: Mapping[str, str]
    residents: Mapping[str, str]
    zone_of: Mapping[str, str]
    sender: str
    source: str

    def protocol(self, hazard: str, kind: str) -> Protocol | None:
        return next((row for row in self.protocols if (row.hazard, row.kind) == (hazard, kind)), None)

    def order(self, roster: str, at: datetime) -> tuple[str, ...]:
        return self.rosters[roster].order(at.astimezone(self.zone_name))


def read_town(folder: Path) -> Town:
    """Read a folder that the services accept; anything odd in it raises."""
    told = _yaml(folder / "municipality.yaml")
    rules = _yaml(folder / "rulebook.yaml")["rules"]
    level_rules = tuple(_level_rule(row) for row in rules if row["kind"] == "level")
    residents = _table(folder / "residents.csv")
    return Town(
        id=told["id"],
        zone_name=ZoneInfo(told["time_zone"]),
        level_rules=level_rules,
        silence_rules=tuple(_silence_rule(row, level_rules) for row in rules if row["kind"] == "no_data"),
        protocols=tuple(_protocol(row) for row in _yaml(folder / "protocols.yaml")["protocols"]),
        rosters={row["id"]: _roster(row) for row in _yaml(folder / "shifts.yaml")["rosters"]},
        releases=tuple(_release(row) for row in _yaml(folder / "legal.yaml").get("safe_release") or ()),
        site_of={row["sensor_id"]: row["site"] for row in _table(folder / "sensors.csv")},
        people={row["person_id"]: row["phone"] for row in _table(folder / "directory.csv")},
        residents={row["resident_id"]: row["phone"] for row in residents},
        zone_of={row["resident_id"]: row["zone"] for row in residents},
        sender=told["sender"]["number"],
        source=told["sender"]["name"],
    )


def _level_rule(row: Mapping[str, Any]) -> LevelRule:
    rows = (Row(int(r["level"]), float(r["raise_at"]), float(r["clear_below"])) for r in row["levels"])
    return LevelRule(
        id=row["id"],
        sensor_id=row["sensor"],
        measures=row["property"],
        hazard=row["hazard"],
        zones=frozenset(row["zones"]),
        confirm=int(row.get("confirm", 1)),
        rows=tuple(sorted(rows, key=lambda r: r.level)),
        valid_from=_moment(row["valid_from"]),
        valid_to=_moment(row["valid_to"]) if row.get("valid_to") else None,
    )


def _silence_rule(row: Mapping[str, Any], level_rules: tuple[LevelRule, ...]) -> SilenceRule:
    named = row.get("sensors") or [rule.sensor_id for rule in level_rules if rule.hazard == row["hazard"]]
    return SilenceRule(
        row["id"], row["hazard"], tuple(sorted(set(named))), _span(row["after"]), int(row.get("level", 1))
    )


def _protocol(row: Mapping[str, Any]) -> Protocol:
    plans = tuple(
        LevelPlan(
            int(plan["level"]),
            plan["roster"],
            tuple(Step(int(step["after_s"]), step["channel"], step["who"]) for step in plan["steps"]),
            tuple(task["assignee"] for task in plan.get("tasks") or ()),
        )
        for plan in row["levels"]
    )
    warning = row.get("warning")
    warn_from = int(warning.get("from_level", 3)) if warning else None
    return Protocol(row["hazard"], row.get("kind", "hazard"), plans, warn_from)


def _roster(row: Mapping[str, Any]) -> Roster:
    shifts = tuple(
        Shift(
            frozenset(shift["days"]),
            time.fromisoformat(shift["starts"]),
            time.fromisoformat(shift["ends"]),
            tuple(shift["on_duty"]),
        )
        for shift in row.get("shifts") or ()
    )
    return Roster(tuple(row["succession"]), shifts)


def _release(row: Mapping[str, Any]) -> Release:
    return Release(
        hazard=row["hazard"],
        min_level=int(row.get("min_level", 3)),
        min_sources=int(row.get("min_sources", 1)),
        zones=frozenset(row.get("zones") or ()),
        valid_from=_moment(row["valid_from"]),
        valid_to=_moment(row["valid_to"]),
        after_s=int(row.get("after_s", 180)),
    )


def _yaml(path: Path) -> Any:
    """Return a file with every scalar as text, so that nothing is guessed; JSON is read as JSON."""
    text = path.read_text(encoding="utf-8")
    if text.lstrip().startswith("{"):
        return json.loads(text)
    return YAML(typ="base", pure=True).load(text)


def _table(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def _span(text: str) -> timedelta:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text}: not a duration like PT90M")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
