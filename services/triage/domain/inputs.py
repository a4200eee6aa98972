"""What the engine is fed: readings, ticks, reports and decisions, in the order of record."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

UtcTime = Annotated[datetime, msgspec.Meta(tz=True)]
GOOD = "good"


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One accepted reading, as it stands in ``sensor.measured``.

    Attributes:
        n: Number in its sensor's accepted series, from 1.
        value: In the canonical unit.
        observed_at: When the sensor saw it; drives every rule.
        received_at: When ingest accepted it.
    """

    n: Annotated[int, msgspec.Meta(ge=1)]
    sensor_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    property: str
    value: float
    unit: str
    observed_at: UtcTime
    received_at: UtcTime
    quality: str = GOOD
    correction: bool = False


class Tick(msgspec.Struct, frozen=True):
    """The town's clock reads ``now``; every reading accepted before was folded before this."""

    now: UtcTime


class Decision(msgspec.Struct, frozen=True):
    """What a person decided about an incident; the signature was checked at the door.

    Attributes:
        at: When triage took it up; ``decided_at`` is when the person said it.
        version: The incident's version that the person saw.
        simulated: Said by the backtest's operator, by nobody real.
    """

    decision_id: str
    incident_id: str
    verb: str
    operator_id: str
    decided_at: UtcTime
    at: UtcTime
    reason: str = ""
    version: int | None = None
    level: int | None = None
    simulated: bool = False


class Report(msgspec.Struct, frozen=True):
    """What somebody reported, as it stands in ``report.received``.

    Attributes:
        at: When triage took it up.
        zone: As the report named it; else the place says it.
    """

    report_id: str
    category: str
    reported_at: UtcTime
    received_at: UtcTime
    at: UtcTime
    text: str = ""
    address: str = ""
    withheld: bool = False
    zone: str | None = None
    lat: float | None = None
    lon: float | None = None


Input = Reading | Tick | Report | Decision
