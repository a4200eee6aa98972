"""``profiles/*.yaml``: how the town's recorded files look, so that they can be played back."""

from __future__ import annotations

import re
from datetime import timedelta, timezone, tzinfo
from enum import StrEnum
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, ConfigDict, Field

from schemas.municipality.base import KnownProperty, Line, Slug, Written

_OFFSET = re.compile(r"^([+-])(\d\d):(\d\d)$")


def zone_of(text: str) -> tzinfo:
    """Return the time zone of an IANA name or of an offset such as ``-03:00``.

    Raises:
        ValueError: It is neither.
    """
    offset = _OFFSET.match(text)
    try:
        if offset is None:
            return ZoneInfo(text)
        minutes = int(offset[2]) * 60 + int(offset[3])
        return timezone(timedelta(minutes=-minutes if offset[1] == "-" else minutes))
    except (OSError, ValueError, KeyError) as err:
        raise ValueError("expected an IANA time zone name or an offset such as -03:00") from err


def _readable(text: str) -> str:
    zone_of(text)
    return text


class Order(StrEnum):
    OLDEST_FIRST = "oldest_first"
    NEWEST_FIRST = "newest_first"
    ANY = "any"


class TimeColumn(Written):
    """A column of times.

    Attributes:
        format: A ``strptime`` pattern; absent means RFC 3339 with its own offset.
        time_zone: Of times without an offset; needed with ``format`` unless that reads ``%z``.
    """

    column: Line
    format: Line | None = None
    time_zone: Annotated[str, AfterValidator(_readable)] | None = None


class ValueColumn(Written):
    """``suffix`` is what follows the number: ``" m"``; a value without it is refused."""

    model_config = ConfigDict(str_strip_whitespace=False)  # a blank of the suffix counts

    column: Line
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ",", " "] = ""
    suffix: Annotated[str, Field(max_length=16)] = ""


class Profile(Written):
    """One recorded form.

    Attributes:
        sensor_column: Column with the source's own sensor id; absent: all rows are of ``sensor``.
        sensor: The town's sensor, where the file is of one.
        sensors: The source's ids to ours; one that is missing here stands for itself.
        property, unit: Of every value, unless a column says it.
        missing: What stands where there is no value; such rows are skipped and counted.
    """

    model_config = ConfigDict(str_strip_whitespace=False)  # a tab is a delimiter

    id: Slug
    description: Annotated[str, Field(max_length=500)] = ""
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    order: Order = Order.OLDEST_FIRST
    observed_at: TimeColumn
    value: ValueColumn
    sensor_column: Line | None = None
    sensor: Slug | None = None
    sensors: dict[str, Slug] = Field(default_factory=dict)
    property_column: Line | None = None
    property: KnownProperty | None = None
    unit_column: Line | None = None
    unit: Annotated[str | None, Field(max_length=32)] = None
    sequence_column: Line | None = None
    quality_column: Line | None = None
    received_at: TimeColumn | None = None
    missing: tuple[str, ...] = ("",)
