"""Read one row of a recorded file as a profile says: a reading, or why it is none."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from municipio.wall_clock import Ambiguous, placed
from schemas.municipality.profile import Profile, TimeColumn, ValueColumn, zone_of

LISTED_MOST: Final = 100
_GROUPED: Final = re.compile(r"[+-]?\d{1,3}(,\d{3})+", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)

Cells = Mapping[str, str | None] | str
"""The cells of a row by column, or why the row cannot be read."""


class FileUnreadable(ValueError):
    """A file as a whole does not fit the profile."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded reading.

    Attributes:
        at: When it is played: when it was received, where the file says so, else when it was observed.
        body: As ``POST /v1/readings`` takes it.
    """

    at: datetime
    file: str
    row: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that is not played."""

    file: str
    row: int
    reason: str


@dataclass(slots=True)
class Findings:
    """What was found beside the readings; ``broken`` lists the first hundred.

    Attributes:
        unknown_columns: Named in a header, read by nobody.
        bytes_read: Of files that are read as columns.
    """

    rows: int = 0
    bytes_read: int = 0
    missing: int = 0
    unknown_columns: list[str] = field(default_factory=list)
    broken_count: int = 0
    broken: list[BrokenRow] = field(default_factory=list)

    def add(self, broken: BrokenRow) -> None:
        self.broken_count += 1
        if len(self.broken) < LISTED_MOST:
            self.broken.append(broken)


def read_row(
    file: str, row: int, cells: Cells, form: Profile, *, fold: int | None = None
) -> Recorded | BrokenRow | Ambiguous | None:
    """Return the reading of a row, why it is none, or None where the value is declared missing.

    ``fold`` says which of the two is meant where a local time occurs twice.
    """
    if isinstance(cells, str):
        return BrokenRow(file, row, cells)
    try:
        raw = cell_of(cells, form.value.column)
        if raw in form.missing:
            return None
        observed_at = _utc(cells, form.observed_at, fold)
        body = {
            "sensor_id": sensor_of(cells, form),
            "property": stated(cells, form.property_column, form.property, "property"),
            "value": number_of(raw, form.value),
            "unit": stated(cells, form.unit_column, form.unit, "unit"),
            "observed_at": observed_at.isoformat(),
            **_extras(cells, form),
        }
        return Recorded(_play_time(cells, form, observed_at), file, row, body)
    except Ambiguous as twice:
        twice.sensor = (cells.get(form.sensor_column) if form.sensor_column else None) or ""
        return twice
    except ValueError as err:
        return BrokenRow(file, row, str(err))


def cell_of(cells: Mapping[str, str | None], column: str) -> str:
    text = cells.get(column)
    if text is None:
        raise ValueError(f"{column}: the row has no such cell")
    if "\ufffd" in text:
        raise ValueError(f"{column}: is not in the encoding that the profile names")
    return text.strip()


def sensor_of(cells: Mapping[str, str | None], form: Profile) -> str:
    if form.sensor_column is None:
        if form.sensor is None:
            raise ValueError("sensor: the profile names none")
        return form.sensor
    said = cell_of(cells, form.sensor_column)
    return form.sensors.get(said, said)


def stated(cells: Mapping[str, str | None], column: str | None, otherwise: str | None, what: str) -> str:
    said = cell_of(cells, column) if column is not None else otherwise
    if not said:
        raise ValueError(f"{what}: neither the row nor the profile says it")
    return str(said)


def number_of(raw: str, form: ValueColumn) -> float:
    text = raw
    if form.suffix:
        if not text.endswith(form.suffix.strip()):
            raise ValueError(f"{form.column}: does not end in {form.suffix.strip()!r}")
        text = text[: -len(form.suffix.strip())].strip()
    whole, sign, fraction = text.partition(form.decimal)
    if form.thousands and form.thousands in whole:
        if not _GROUPED.fullmatch(whole.replace(form.thousands, ",")):
            raise ValueError(f"{form.column}: {form.thousands!r} does not stand between thousands")
        whole = whole.replace(form.thousands, "")
    other = "." if form.decimal == "," else ","
    if other in whole + fraction:
        said = {",": "comma", ".": "point"}
        raise ValueError(
            f"{form.column}: has a {said[other]} where the decimal {said[form.decimal]} is expected"
        )
    text = f"{whole}.{fraction}" if sign else whole
    if not _NUMBER.fullmatch(text) or not math.isfinite(value := float(text)):
        raise ValueError(f"{form.column}: is not a number of ordinary size")
    return value


def moment_of(raw: str, form: TimeColumn, fold: int | None = None) -> datetime:
    """Return the moment that a cell means, with an offset from UTC.

    Raises:
        Ambiguous: The local time occurs twice, and ``fold`` is None.
        ValueError: It is none.
    """
    try:
        moment = datetime.strptime(raw, form.format) if form.format else datetime.fromisoformat(raw)  # noqa: DTZ007
    except ValueError as err:
        raise ValueError(f"{form.column}: is not a time of the form that the profile names") from err
    if moment.tzinfo is not None:
        return moment
    if form.time_zone is None:
        raise ValueError(f"{form.column}: has no offset and the profile names no time zone")
    try:
        return placed(moment, zone_of(form.time_zone), fold)
    except Ambiguous:
        raise
    except ValueError as err:
        raise ValueError(f"{form.column}: {err}") from err


def _utc(cells: Mapping[str, str | None], form: TimeColumn, fold: int | None = None) -> datetime:
    moment = moment_of(cell_of(cells, form.column), form, fold)
    try:
        return moment.astimezone(UTC)
    except OverflowError as err:
        raise ValueError(f"{form.column}: is not a time of the form that the profile names") from err


def _play_time(cells: Mapping[str, str | None], form: Profile, observed_at: datetime) -> datetime:
    if form.received_at is None or not (cells.get(form.received_at.column) or "").strip():
        return observed_at
    return max(_utc(cells, form.received_at, 0), observed_at)


def _extras(cells: Mapping[str, str | None], form: Profile) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    sequence = (cells.get(form.sequence_column or "") or "").strip()
    if sequence:
        try:
            extras["sequence"] = int(sequence)
        except ValueError as err:
            raise ValueError(f"{form.sequence_column}: is not a whole number") from err
    quality = (cells.get(form.quality_column or "") or "").strip()
    return {**extras, "quality": quality} if quality else extras
