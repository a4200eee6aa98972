"""Topic ``readings``: what sensors measured, packed, and the ticking of the town's clock."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from schemas.events.base import Event, Id, Moment, Part
from schemas.vocabulary import Property, Quality


class Measurement(Part):
    """One accepted reading.

    Attributes:
        n: Number of this reading in its sensor's accepted series, from 1, without holes; ingest gives it
            in the accepting transaction. A consumer recognises a repeat by it.
        value: In the canonical unit of ``property`` (metres, m3/s, mm, ug/m3, degrees, Celsius).
        unit: UCUM code of the canonical unit.
        observed_at: When the sensor saw it. Never rewritten.
        received_at: When ingest accepted it, by the town's clock.
        correction: The same identity was accepted before with another value.
    """

    n: Annotated[int, Field(ge=1)]
    sensor_id: Id
    property: Property
    value: float
    unit: Annotated[str, Field(max_length=32)]
    observed_at: Moment
    received_at: Moment
    quality: Quality = Quality.GOOD
    correction: bool = False
    sequence: int | None = None
    event_id: Annotated[str | None, Field(max_length=128)] = None


class SensorMeasured(Event):
    """1 to 500 readings of one partition and one municipality, in the order in which they were accepted."""

    TYPE: ClassVar[str] = "sensor.measured"

    readings: Annotated[tuple[Measurement, ...], Field(min_length=1, max_length=500)]


class ClockTicked(Event):
    """The town's clock reads ``now``, and every reading accepted before stands before this record."""

    TYPE: ClassVar[str] = "clock.ticked"

    now: Moment


class ReadingPublished(Event):
    """What a sensor network publishes itself on ``readings.external``; not yet normalised, not trusted."""

    TYPE: ClassVar[str] = "reading.published"

    sensor_id: Id
    property: Annotated[str, Field(max_length=64)]
    value: float
    unit: Annotated[str, Field(max_length=32)]
    observed_at: Moment
    sequence: int | None = None
    quality: Quality = Quality.GOOD
    event_id: Annotated[str | None, Field(max_length=128)] = None
