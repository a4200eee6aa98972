"""Read one offered reading: is it a reading at all, and what does it say in our words? Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, TypeVar

import msgspec

from schemas.vocabulary import Property, Quality
from services.ingest.domain.sensors import KnownSensor
from services.ingest.domain.units import CANONICAL, CANONICALLY, Conversion, conversion, units_of

FUTURE_MOST: Final = timedelta(minutes=5)
EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
ID_CHARS_MOST: Final = 128
_INT64: Final = 1 << 63
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a row is refused. ``field`` is empty where the row as a whole is wrong."""

    field: str
    detail: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A fault at its place in what was posted; ``pointer`` is a JSON pointer, ``#/3/value``."""

    index: int
    pointer: str
    detail: str


class Reading(msgspec.Struct, frozen=True, gc=False):
    """A reading in our words: canonical unit, UTC.

    Attributes:
        identity: By which the same reading is recognised when it is sent again.
    """

    sensor_id: str
    measured: Property
    value: float
    observed_at: datetime
    quality: Quality = Quality.GOOD
    sequence: int | None = None
    event_id: str | None = None

    @property
    def unit(self) -> str:
        return CANONICAL[self.measured]

    @property
    def identity(self) -> str:
        if self.event_id is not None:
            return identity_of_event(self.sensor_id, self.event_id)
        return identity_of(self.sensor_id, self.measured, self.observed_at)


class Offered(msgspec.Struct, gc=False):
    """An offered reading whose fields are all there and of their type, as nearly every source sends them."""

    sensor_id: str
    property: str
    value: float
    unit: str
    observed_at: str
    sequence: int | None = None
    quality: str | None = None
    event_id: str | None = None


def normalise_offered(offered: Offered, now: datetime) -> Reading | Fault:
    """Return what ``normalise`` says of the same fields, in a fifth of the time where nothing is wrong."""
    try:
        measured, change = _meant(offered.property, offered.unit)
        observed_at = _moment(offered.observed_at)
        quality = Quality.GOOD if offered.quality is None else _quality(offered.quality)
        event_id = None if offered.event_id is None else _identifier(offered.event_id)
        sequence = None if offered.sequence is None else _whole(offered.sequence)
        sensor_id = _identifier(offered.sensor_id)
    except (TypeError, ValueError):
        return normalise(msgspec.structs.asdict(offered), now)
    value = (offered.value if change is None else change.apply(offered.value)) + 0.0
    if not math.isfinite(value) or observed_at - now > FUTURE_MOST:
        return normalise(msgspec.structs.asdict(offered), now)
    return Reading(sensor_id, measured, value, observed_at, quality, sequence, event_id)


def normalise(offered: object, now: datetime) -> Reading | Fault:
    """Return the reading in our words, or the first thing that is wrong with it, never both.

    Args:
        offered: A decoded JSON value, whatever it is.
        now: The town's time; a reading may be at most five minutes ahead of it.
    """
    if not isinstance(offered, Mapping):
        return Fault("", "is not an object with sensor_id, property, value, unit and observed_at")
    try:
        measured = _field(offered, "property", _property)
        value = _field(offered, "value", _number)
        return Reading(
            sensor_id=_field(offered, "sensor_id", _identifier),
            measured=measured,
            value=_canonical(measured, value, _field(offered, "unit", _string)),
            observed_at=_not_ahead(_field(offered, "observed_at", moment_of), now),
            quality=_optional(offered, "quality", _quality) or Quality.GOOD,
            sequence=_optional(offered, "sequence", _whole),
            event_id=_optional(offered, "event_id", _identifier),
        )
    except _WrongFieldError as wrong:
        return wrong.fault


def examine(reading: Reading, sensor: KnownSensor) -> Reading:
    """Mark a value that this gauge cannot have seen as ``suspect``: kept and shown, it decides nothing."""
    if reading.quality is Quality.GOOD and not sensor.believes(reading.value):
        return msgspec.structs.replace(reading, quality=Quality.SUSPECT)
    return reading


class _WrongFieldError(Exception):
    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.fault = Fault(field, detail)


def _field(offered: Mapping[str, object], name: str, read: Callable[[object], T]) -> T:
    if offered.get(name) is None:
        raise _WrongFieldError(name, "is required")
    try:
        return read(offered[name])
    except (TypeError, ValueError) as err:
        raise _WrongFieldError(name, str(err)) from err


def _optional(offered: Mapping[str, object], name: str, read: Callable[[object], T]) -> T | None:
    return None if offered.get(name) is None else _field(offered, name, read)


def _string(raw: object) -> str:
    if not isinstance(raw, str):
        raise TypeError("is not a text")
    return raw


def _identifier(raw: object) -> str:
    text = _string(raw)
    # isprintable also keeps out NUL and lone surrogates, which no database takes.
    if not 1 <= len(text) <= ID_CHARS_MOST or not text.isprintable() or text != text.strip():
        raise ValueError(f"is not 1 to {ID_CHARS_MOST} printable characters without spaces around them")
    return text


def _property(raw: object) -> Property:
    measured = Property(_string(raw))
    if measured is Property.UNKNOWN:
        raise ValueError("is none of " + ", ".join(known.value for known in CANONICAL))
    return measured


def _quality(raw: object) -> Quality:
    return Quality(_string(raw))


def _number(raw: object) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise TypeError("is not a number")
    try:
        value = float(raw)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise ValueError("is not a finite number of ordinary size")
    return value + 0.0  # -0.0 and 0.0 are one value


def _whole(raw: object) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not -_INT64 <= raw < _INT64:
        raise ValueError("is not a whole number of at most 64 bits")
    return raw


def _canonical(measured: Property, value: float, unit: str) -> float:
    found = conversion(measured, unit)
    if found is None:
        expected = ", ".join(units_of(measured))
        raise _WrongFieldError("unit", f"does not measure {measured.value}; expected one of {expected}")
    converted = found.apply(value)
    if not math.isfinite(converted):
        raise _WrongFieldError("value", "is not a finite number of ordinary size")
    return converted


def moment_of(raw: object) -> datetime:
    """Return a moment as the wire writes it.

    Raises:
        ValueError: It is not RFC 3339 with an offset; the message says what is wrong.
    """
    match = _TIME.fullmatch(_string(raw))
    if match is None:
        raise ValueError("is not RFC 3339, as in 2024-05-02T13:15:00-03:00")
    if match.group(2) is None:
        raise ValueError("has no offset from UTC, as in 2024-05-02T13:15:00-03:00; local time is ambiguous")
    try:
        moment = datetime.fromisoformat(match.group(0).upper()).astimezone(UTC)
    except (ValueError, OverflowError) as err:
        raise ValueError("is not a date and time that exists") from err
    if moment < EARLIEST:
        raise ValueError("is before 1900")
    return moment


_moment: Final = lru_cache(maxsize=4096)(moment_of)
"""Many gauges report at the same moments."""


def identity_of_event(sensor_id: str, event_id: str) -> str:
    """Return the identity of a reading with an id: it counts within its sensor, two may number alike."""
    return f"e\n{sensor_id}\n{event_id}"


def identity_of(sensor_id: str, measured: str, observed_at: datetime) -> str:
    """Return the identity of a reading that brings no id of its own."""
    return "\n".join(("t", sensor_id, measured, _text_of(observed_at)))


@lru_cache(maxsize=4096)
def _text_of(moment: datetime) -> str:
    return moment.isoformat()


@lru_cache(maxsize=1024)
def _meant(measured: str, unit: str) -> tuple[Property, Conversion | None]:
    """Return the property and how its unit changes; ``None`` where it is the canonical one already."""
    known = _property(measured)
    found = conversion(known, unit)
    if found is None:
        raise ValueError(unit)
    return known, None if found == CANONICALLY else found


def _not_ahead(moment: datetime, now: datetime) -> datetime:
    if moment - now > FUTURE_MOST:
        ahead = moment - now
        raise _WrongFieldError("observed_at", f"is {_span(ahead)} in the future; at most 5 minutes are taken")
    return moment


def _span(ahead: timedelta) -> str:
    if ahead >= timedelta(days=1):
        return f"{ahead.days} day(s)"
    minutes = int(ahead.total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
