"""Read what ``municipio record`` wrote, and put it back into the order in which it was decided.

``inputs.ndjson`` has one line per input of the order of record: ``reading`` (this reading moved something),
``tick`` (this tick found a sensor silent) and ``decision``. All other readings of a sensor stand in
``readings.csv`` in the order in which they were accepted; between sensors their order means nothing.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from municipio.backtest.town import SensorTick
from municipio.errors import WrongUse
from municipio.profiles import in_file_order
from municipio.rows import FileUnreadable, Findings, Recorded
from services.triage.domain.inputs import Decision, Input, Reading, Report

SCHEMA: Final = "municipio/record/1"
NOTE: Final = "record.json"
READINGS: Final = "readings.csv"
INPUTS: Final = "inputs.ndjson"
T = TypeVar("T")
Line = Mapping[str, Any]  # Any: a line of JSON


@dataclass(frozen=True, slots=True)
class Record:
    """What was recorded. ``note`` says of which municipality, from when to when."""

    note: Line
    readings: Sequence[Recorded]
    inputs: Sequence[Line]


def is_record(path: Path) -> bool:
    return path.is_dir()


def note_of(folder: Path) -> Line:
    """Return what a record says of itself.

    Raises:
        WrongUse: The folder is no record.
    """
    try:
        note = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        note = None
    if not isinstance(note, dict) or note.get("schema") != SCHEMA or "municipality" not in note:
        raise WrongUse(f"{folder} is no record that `municipio record` wrote ({NOTE}).")
    return note


def read(folder: Path, findings: Findings) -> Record:
    """Return a record; a line of it that cannot be read refuses the whole.

    Raises:
        WrongUse: The folder is no record.
    """
    note = note_of(folder)
    try:
        readings = list(in_file_order(folder / READINGS, None, findings))
        inputs = list(_lines(folder / INPUTS))
    except FileUnreadable as err:
        raise WrongUse(str(err)) from err
    return Record(note, readings, inputs)


def decisions(path: Path) -> list[Decision]:
    """Return the decisions in a file of inputs.

    Raises:
        WrongUse: It cannot be read.
    """
    return [decision_of(line) for line in _lines(path) if line["kind"] == "decision"]


def decision_of(line: Line) -> Decision:
    return _as(Decision, line)


def _as(kind: type[T], line: Line) -> T:
    try:
        return msgspec.convert({name: said for name, said in line.items() if name != "kind"}, kind)
    except msgspec.ValidationError as err:
        raise WrongUse(f"{line['kind']} at {line['at']}: {err}") from err


def in_order(readings: Sequence[Reading], lines: Sequence[Line]) -> Iterator[tuple[datetime, list[Input]]]:
    """Yield inputs as stage 2 took them up; a sensor's readings always in their own order."""
    waiting: dict[str, list[Reading]] = defaultdict(list)
    place: dict[tuple[str, datetime, datetime], int] = {}
    for reading in readings:
        key = (reading.sensor_id, reading.observed_at, reading.received_at)
        place.setdefault(key, len(waiting[reading.sensor_id]))
        waiting[reading.sensor_id].append(reading)
    fed: dict[str, int] = defaultdict(int)

    def up_to(line: Line) -> Iterator[tuple[datetime, list[Input]]]:
        sensor_id = line["sensor_id"]
        key = (sensor_id, _time(line["observed_at"]), _time(line["received_at"]))
        for each in waiting[sensor_id][fed[sensor_id] : place.get(key, -1) + 1]:
            fed[sensor_id] += 1
            yield each.received_at, [each]

    for line in lines:
        if line["kind"] == "reading":
            yield from up_to(line)
        elif line["kind"] == "tick":
            yield from _ticks(line) if line.get("observed_at") is None else (*up_to(line), *_ticks(line))
        elif line["kind"] == "decision":
            decision = decision_of(line)
            yield decision.at, [decision]
        elif line["kind"] == "report":
            report = _as(Report, line)
            yield report.at, [report]
    left = [each for sensor_id, rows in waiting.items() for each in rows[fed[sensor_id] :]]
    for each in sorted(left, key=lambda one: (one.received_at, one.sensor_id, one.n)):
        yield each.received_at, [each]


def _ticks(line: Line) -> Iterator[tuple[datetime, list[Input]]]:
    if line.get("observed_at") is None:  # It never spoke: its watch began with an earlier tick.
        since = _time(line["since"])
        yield since, [SensorTick(since, line["sensor_id"])]
    at = _time(line["at"])
    yield at, [SensorTick(at, line["sensor_id"])]


def _lines(path: Path) -> Iterator[Line]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise WrongUse(f"{path}: cannot be read: {err}") from err
    for number, raw in enumerate(text.splitlines(), start=1):
        if not raw.strip():
            continue
        try:
            line = json.loads(raw)
            _time(line["at"])
            _known(line)
        except (ValueError, KeyError, TypeError) as err:
            raise WrongUse(f"{path}:{number}: is no line of {INPUTS} ({err})") from err
        yield line


def _known(line: Line) -> None:
    needs = {"reading": ("sensor_id", "observed_at", "received_at"), "tick": ("sensor_id", "since")}
    missing = [name for name in needs.get(line["kind"], ()) if name not in line]
    if missing:
        raise ValueError(f"{', '.join(missing)} missing")


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset from UTC")
    return moment
