"""``sensor.measured``: fold its readings into their sensors' states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from schemas.events.readings import SensorMeasured
from services.runtime.errors import OursMalformed
from services.runtime.records import Record
from services.triage.domain.calm import Calms
from services.triage.domain.folding import Outcome
from services.triage.domain.inputs import Reading
from services.triage.domain.rulebook import Book
from services.triage.domain.runs import Measured, fold_records
from services.triage.domain.state import SensorState

TYPE: Final = SensorMeasured.TYPE


class _Measured(msgspec.Struct):
    """The value of ``sensor.measured``, decoded once and fast; a contract test holds it to the schema."""

    readings: Annotated[tuple[Reading, ...], msgspec.Meta(min_length=1, max_length=500)]


_decode: Final = msgspec.json.Decoder(_Measured).decode


def readings_of(record: Record) -> Sequence[Reading]:
    """Return the readings of a record.

    Raises:
        OursMalformed: It cannot be read; only ingest writes here.
    """
    try:
        return _decode(record.value).readings
    except (msgspec.DecodeError, RecursionError) as err:
        reason = str(err)[:200]
        raise OursMalformed(record.topic, record.partition, record.offset, reason) from None


def on_sensor_measured(
    book: Book, sensors: dict[str, SensorState], calms: Calms, records: Sequence[Measured], out: Outcome
) -> None:
    """Fold the readings of records, in the order in which ingest accepted them."""
    fold_records(book, sensors, calms, records, out)
