"""What triage decodes fast is what the contract says."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from schemas.events.readings import Measurement, SensorMeasured
from schemas.vocabulary import Property, Quality
from services.runtime.errors import OursMalformed
from services.runtime.records import Record
from services.triage.domain.inputs import Reading
from services.triage.handlers.on_clock_ticked import tick_of
from services.triage.handlers.on_sensor_measured import readings_of

NOW = datetime(2026, 5, 1, 6, 0, 0, 123456, tzinfo=UTC)


def record(value: bytes) -> Record:
    return Record("readings", 0, 7, None, value)


def test_every_field_of_the_fast_reading_is_in_the_contract() -> None:
    ours = {field.name for field in msgspec.structs.fields(Reading)}
    assert ours <= Measurement.model_fields.keys()


@pytest.mark.parametrize("quality", list(Quality))
@pytest.mark.parametrize("prop", list(Property))
def test_both_models_read_the_same(quality: Quality, prop: Property) -> None:
    told = Measurement(
        n=3,
        sensor_id="g-1",
        property=prop,
        value=2.5,
        unit="m",
        observed_at=NOW,
        received_at=NOW,
        quality=quality,
        correction=True,
        sequence=9,
        event_id="e",
    )
    (fast,) = readings_of(record(SensorMeasured(readings=(told,)).json_bytes()))
    for field in msgspec.structs.fields(Reading):
        assert getattr(fast, field.name) == getattr(told, field.name)


def test_field_of_a_newer_release_is_ignored() -> None:
    value = (
        b'{"readings":[{"n":1,"sensor_id":"g","property":"tide","value":1,"unit":"m","new":{"a":[1]},'
        b'"observed_at":"2026-05-01T06:00:00Z","received_at":"2026-05-01T06:00:00+00:00"}],"more":1}'
    )
    assert readings_of(record(value))[0].property == "tide"


@pytest.mark.parametrize(
    "changed",
    [
        {"observed_at": "2026-05-01T06:00:00"},
        {"value": "NaN"},
        {"value": None},
        {"n": 0},
        {"sensor_id": ""},
        {"observed_at": 5},
    ],
    ids=["naive time", "not a number", "no value", "number zero", "no sensor", "time as a number"],
)
def test_what_ingest_never_writes_is_not_read(changed: dict[str, object]) -> None:
    plain = {
        "n": 1,
        "sensor_id": "g",
        "property": "river_level",
        "value": 1.0,
        "unit": "m",
        "observed_at": "2026-05-01T06:00:00Z",
        "received_at": "2026-05-01T06:00:00Z",
    }
    with pytest.raises(OursMalformed) as caught:
        readings_of(record(msgspec.json.encode({"readings": [{**plain, **changed}]})))
    assert (caught.value.partition, caught.value.offset) == (0, 7)


def test_deeply_nested_tick_is_malformed() -> None:
    with pytest.raises(OursMalformed):
        tick_of(record(b"[" * 100_000))
