"""Recorded files of readings, as their profile says they look."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from schemas.municipality.profile import Order, Profile, TimeColumn, zone_of


@dataclass(frozen=True, slots=True)
class RecordedReading:
    """One row, in the words of DOORS: what ``POST /v1/readings`` takes. Repeats are kept as they came."""

    line: int
    sensor_id: str
    property: str
    value: float
    unit: str
    observed_at: datetime
    sequence: int | None = None
    quality: str | None = None
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that is no reading: ``line: field: reason``."""

    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.line}: {self.field}: {self.reason}"


class _Refusal(ValueError):
    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


def read_recorded(path: Path, profile: Profile) -> tuple[list[RecordedReading], list[RefusedRow]]:
    """Read a whole file, oldest first; rows of one moment keep the file's order (the source's, turned round).

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not of the profile's encoding, or a column of the profile is missing.
    """
    readings: list[RecordedReading] = []
    refused: list[RefusedRow] = []
    with path.open(encoding=profile.encoding.replace("utf-8", "utf-8-sig"), newline="") as file:
        for item in recorded(file, profile):
            if isinstance(item, RefusedRow):
                refused.append(item)
            else:
                readings.append(item)
    if profile.order is Order.NEWEST_FIRST:
        readings.reverse()
    readings.sort(key=lambda reading: reading.observed_at)
    return readings, refused


def recorded(lines: Iterable[str], profile: Profile) -> Iterator[RecordedReading | RefusedRow]:
    """Read rows in the file's order; rows without a value are passed over.

    Raises:
        ValueError: A column of the profile is missing from the header.
    """
    reader = csv.DictReader(lines, delimiter=profile.delimiter, strict=True)
    header = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = header
    missing = [name for name in _needed(profile) if name not in header]
    if missing:
        raise ValueError(
            f"column {missing[0]!r} of profile {profile.id} is not in the file: {', '.join(header)}"
        )
    for row in reader:
        if (row[profile.value.column] or "").strip() in profile.missing:
            continue
        try:
            yield _reading(reader.line_num, row, profile)
        except _Refusal as err:
            yield RefusedRow(reader.line_num, err.field, str(err))


def _needed(profile: Profile) -> list[str]:
    names = (profile.sensor_column, profile.property_column, profile.unit_column)
    return [profile.observed_at.column, profile.value.column, *(name for name in names if name)]


def _reading(line: int, row: Mapping[str, str], profile: Profile) -> RecordedReading:
    named = _cell(row, profile.sensor_column)
    sensor_id = profile.sensors.get(named, named) if named else profile.sensor
    observed_at = _moment(row, profile.observed_at)
    if not sensor_id:
        raise _Refusal(profile.sensor_column or "sensor", "is empty")
    if observed_at is None:
        raise _Refusal(profile.observed_at.column, "is empty")
    sequence = _cell(row, profile.sequence_column)
    return RecordedReading(
        line=line,
        sensor_id=sensor_id,
        property=_cell(row, profile.property_column) or str(profile.property or ""),
        value=_number(row[profile.value.column].strip(), profile),
        unit=_cell(row, profile.unit_column) or profile.unit or "",
        observed_at=observed_at,
        sequence=int(sequence) if sequence and sequence.isdecimal() else None,
        quality=_cell(row, profile.quality_column),
        received_at=None if profile.received_at is None else _moment(row, profile.received_at),
    )


def _cell(row: Mapping[str, str], column: str | None) -> str | None:
    text = row.get(column) if column else None
    return text.strip() or None if text else None


def _number(text: str, profile: Profile) -> float:
    form = profile.value
    if not text.endswith(form.suffix):
        raise _Refusal(form.column, f"does not end in {form.suffix!r} (found {text[:40]!r})")
    digits = text.removesuffix(form.suffix).strip()
    if form.thousands:
        digits = digits.replace(form.thousands, "")
    try:
        value = float(digits.replace(form.decimal, "."))
    except ValueError:
        raise _Refusal(form.column, f"is not a number (found {text[:40]!r})") from None
    if not math.isfinite(value):
        raise _Refusal(form.column, "is not a finite number")
    return value


def _moment(row: Mapping[str, str], form: TimeColumn) -> datetime | None:
    text = _cell(row, form.column)
    if text is None:
        return None
    try:
        at = (
            datetime.strptime(text, form.format)  # noqa: DTZ007 - the profile's zone is put on below
            if form.format
            else datetime.fromisoformat(text)
        )
    except ValueError:
        expected = form.format or "RFC 3339"
        raise _Refusal(form.column, f"is not a time of the form {expected} (found {text[:40]!r})") from None
    if at.tzinfo is None and form.time_zone is None:
        raise _Refusal(form.column, "has no offset, and the profile names no time zone")
    return (at if at.tzinfo else at.replace(tzinfo=zone_of(form.time_zone or "UTC"))).astimezone(UTC)
