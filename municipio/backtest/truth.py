"""What really happened, told by a file: the measure of a backtest."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from municipio.errors import WrongUse
from schemas.municipality import Municipality
from schemas.municipality.rulebook import LevelRule

COLUMNS: Final = ("begins_at", "ends_at", "sensor_id", "zone", "level", "what")
LEVEL_MOST: Final = 4


@dataclass(frozen=True, slots=True)
class Event:
    """Something of which the town should have been warned.

    Attributes:
        ends_at: None where it went on when the record ended.
        sensor_id, zone: Where; a rule is measured by what happens at its gauge or in its zones. Without
            either, every rule is measured by it.
        level: Up to this level it deserved a warning; None: every one.
    """

    begins_at: datetime
    ends_at: datetime | None = None
    sensor_id: str | None = None
    zone: str | None = None
    level: int | None = None
    what: str = ""

    def concerns(self, rule: LevelRule, town: Municipality) -> bool:
        if self.zone is not None:
            return self.zone in rule.zones
        if self.sensor_id is None or self.sensor_id == rule.sensor:
            return True
        return bool(set(rule.zones) & _zones_of(self.sensor_id, town))

    def deserved(self, level: int) -> bool:
        return self.level is None or level <= self.level


def events_of(path: Path, town: Municipality) -> list[Event]:
    """Return what a file tells, oldest first.

    Raises:
        WrongUse: It cannot be read; the message names file, line and field.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return sorted(_events(path, csv.DictReader(file), town), key=lambda each: each.begins_at)
    except (OSError, UnicodeDecodeError, csv.Error) as err:
        raise WrongUse(f"{path}: cannot be read: {err}") from err


def _events(path: Path, rows: csv.DictReader[str], town: Municipality) -> Iterator[Event]:
    header = rows.fieldnames or ()
    wrong = [column for column in header if column not in COLUMNS]
    if "begins_at" not in header or wrong:
        raise WrongUse(f"{path}:1: expected columns of {', '.join(COLUMNS)}; begins_at must be there.")
    for row in rows:
        try:
            yield _event({name: (cell or "").strip() for name, cell in row.items() if name}, town)
        except ValueError as err:
            raise WrongUse(f"{path}:{rows.line_num}: {err}") from err


def _event(cells: dict[str, str], town: Municipality) -> Event:
    begins_at = _moment(cells, "begins_at")
    ends_at = _moment(cells, "ends_at") if cells.get("ends_at") else None
    if begins_at is None or (ends_at is not None and ends_at <= begins_at):
        raise ValueError("ends_at: is not after begins_at")
    return Event(
        begins_at,
        ends_at,
        _known(cells, "sensor_id", town.sensor_of),
        _known(cells, "zone", town.zone_of),
        _level(cells.get("level", "")),
        cells.get("what", ""),
    )


def _moment(cells: dict[str, str], column: str) -> datetime:
    try:
        moment = datetime.fromisoformat(cells.get(column, ""))
    except ValueError as err:
        raise ValueError(f"{column}: is not RFC 3339, as in 2024-05-02T13:15:00-03:00") from err
    if moment.tzinfo is None:
        raise ValueError(f"{column}: has no offset from UTC, as in 2024-05-02T13:15:00-03:00")
    return moment.astimezone(UTC)


def _known(cells: dict[str, str], column: str, known: Collection[str]) -> str | None:
    said = cells.get(column)
    if said and said not in known:
        raise ValueError(f"{column}: the town has no {said}")
    return said or None


def _level(said: str) -> int | None:
    if not said:
        return None
    if said not in [str(level) for level in range(1, LEVEL_MOST + 1)]:
        raise ValueError(f"level: is not a whole number from 1 to {LEVEL_MOST}")
    return int(said)


def _zones_of(sensor_id: str, town: Municipality) -> set[str]:
    return {zone for rule in town.rulebook.level_rules if rule.sensor == sensor_id for zone in rule.zones}
