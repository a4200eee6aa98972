"""What ingest takes for a reading, and in which words it says no."""

import json
import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.vocabulary import Property, Quality
from services.ingest.domain.normalise import Fault, Reading, examine, normalise
from services.ingest.domain.sensors import KnownSensor

NOW = datetime(2026, 5, 2, 12, 0, tzinfo=UTC)
GOOD = {
    "sensor_id": "rio-1",
    "property": "river_level",
    "value": 2.32,
    "unit": "m",
    "observed_at": "2026-05-02T08:55:00-03:00",
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def said(**changes: object) -> Reading | Fault:
    return normalise({**GOOD, **changes}, NOW)


def test_good_reading_is_read_in_utc() -> None:
    """The moment keeps its meaning whatever the offset it was written in."""
    expected = Reading("rio-1", Property.RIVER_LEVEL, 2.32, datetime(2026, 5, 2, 11, 55, tzinfo=UTC))

    assert expected == said()


@pytest.mark.parametrize(
    ("measured", "value", "unit", "expected"),
    [
        pytest.param("river_level", 250, "cm", 2.5, id="centimetres are exact"),
        pytest.param("river_level", 2320, "mm", 2.32, id="millimetres"),
        pytest.param("river_level", 10, "[ft_i]", 3.048, id="feet in UCUM"),
        pytest.param("river_level", 10, "ft", 3.048, id="feet as people write them"),
        pytest.param("rain", 2, "[in_i]", 50.8, id="inches of rain"),
        pytest.param("rain", 5, "L/m2", 5.0, id="litres per square metre"),
        pytest.param("temperature", 273.15, "K", 0.0, id="kelvin"),
        pytest.param("pm25", 0.05, "mg/m3", 50.0, id="milligrams of dust"),
    ],
)
def test_value_arrives_in_the_canonical_unit(measured: str, value: float, unit: str, expected: float) -> None:
    """A threshold of 2.50 m is met by 250 cm exactly."""
    reading = said(property=measured, value=value, unit=unit)

    assert isinstance(reading, Reading)
    assert expected == reading.value


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        pytest.param({"value": math.nan}, "value", "finite", id="NaN"),
        pytest.param({"value": math.inf}, "value", "finite", id="infinity"),
        pytest.param({"value": 10**400}, "value", "finite", id="a number of 400 digits"),
        pytest.param({"value": 1e308, "unit": "km"}, "value", "finite", id="too large once converted"),
        pytest.param({"value": True}, "value", "not a number", id="true is no number"),
        pytest.param({"value": "2.3"}, "value", "not a number", id="text is no number"),
        pytest.param({"value": None}, "value", "required", id="no value"),
        pytest.param({"unit": "kg"}, "unit", "does not measure", id="wrong unit"),
        pytest.param({"unit": "mm/h"}, "unit", "does not measure", id="a rate is no level"),
        pytest.param({"property": "mood"}, "property", "none of", id="unknown property"),
        pytest.param({"property": "unknown"}, "property", "none of", id="the word unknown"),
        pytest.param({"sensor_id": ""}, "sensor_id", "printable", id="empty sensor id"),
        pytest.param({"sensor_id": "a\x00b"}, "sensor_id", "printable", id="NUL"),
        pytest.param({"sensor_id": "a\ud800"}, "sensor_id", "printable", id="half a surrogate"),
        pytest.param({"sensor_id": "x" * 129}, "sensor_id", "128", id="too long an id"),
        pytest.param({"sensor_id": ["rio-1"]}, "sensor_id", "not a text", id="id in a list"),
        pytest.param({"observed_at": "2026-05-02T11:55:00"}, "observed_at", "no offset", id="naive time"),
        pytest.param({"observed_at": 1714651000}, "observed_at", "not a text", id="epoch seconds"),
        pytest.param({"observed_at": "yesterday"}, "observed_at", "RFC 3339", id="words"),
        pytest.param({"observed_at": "2026-02-30T00:00:00Z"}, "observed_at", "exists", id="30 February"),
        pytest.param(
            {"observed_at": "0001-01-01T00:00:00+14:00"}, "observed_at", "exists", id="before year 1"
        ),
        pytest.param({"observed_at": "1899-12-31T23:00:00Z"}, "observed_at", "1900", id="before 1900"),
        pytest.param({"observed_at": "2026-05-04T12:00:01Z"}, "observed_at", "2 day", id="two days ahead"),
        pytest.param(
            {"observed_at": "2026-05-02T12:05:01Z"}, "observed_at", "5 min", id="five minutes and one"
        ),
        pytest.param({"sequence": 1.5}, "sequence", "whole", id="half a sequence number"),
        pytest.param({"sequence": 1 << 63}, "sequence", "64 bits", id="too large a sequence number"),
        pytest.param({"event_id": " a"}, "event_id", "spaces", id="blank before the event id"),
        pytest.param({"quality": 3}, "quality", "not a text", id="quality is a word"),
    ],
)
def test_bad_reading_is_refused_by_field_and_reason(
    changes: dict[str, object], field: str, words: str
) -> None:
    """A refusal names the field and what is wrong with it."""
    fault = said(**changes)

    assert isinstance(fault, Fault)
    assert field == fault.field
    assert words in fault.detail


@pytest.mark.parametrize("offered", [None, 3, "text", [], [GOOD], True])
def test_what_is_no_object_is_refused_as_a_whole(offered: object) -> None:
    """A list inside a list is not unpacked."""
    fault = normalise(offered, NOW)

    assert isinstance(fault, Fault)
    assert not fault.field


def test_five_minutes_ahead_are_taken() -> None:
    """A gauge's clock may run a little ahead of the town's."""
    assert isinstance(said(observed_at="2026-05-02T12:05:00Z"), Reading)


def test_unknown_word_for_quality_never_reads_as_good() -> None:
    """What a newer source means by a new word is for a person to say."""
    reading = said(quality="flaky")

    assert isinstance(reading, Reading)
    assert Quality.UNKNOWN is reading.quality


def test_identity_is_the_event_id_within_its_sensor() -> None:
    """Two gauges that both number from 1 do not repeat each other."""
    one, other = said(event_id="1"), said(event_id="1", sensor_id="rio-2")
    again = said(event_id="1", observed_at="2026-05-02T09:00:00-03:00")

    assert isinstance(one, Reading)
    assert isinstance(other, Reading)
    assert isinstance(again, Reading)
    assert one.identity == again.identity
    assert one.identity != other.identity


def test_identity_without_event_id_is_the_moment_whatever_its_offset() -> None:
    """The same instant written in UTC is the same reading."""
    here, there = said(), said(observed_at="2026-05-02T11:55:00Z")

    assert isinstance(here, Reading)
    assert isinstance(there, Reading)
    assert here.identity == there.identity


def test_negative_zero_is_zero() -> None:
    """Both are written to the same key."""
    reading = said(value=-0.0)

    assert isinstance(reading, Reading)
    assert "0.0" == repr(reading.value)


@pytest.mark.parametrize(
    ("value", "quality"),
    [(-1.01, Quality.SUSPECT), (-1.0, Quality.GOOD), (12.0, Quality.GOOD), (12.01, Quality.SUSPECT)],
)
def test_implausible_value_is_kept_as_suspect(value: float, quality: Quality) -> None:
    """A gauge of twelve metres cannot have seen more; the value is kept and decides nothing."""
    sensor = KnownSensor("rio-1", "puente", Property.RIVER_LEVEL, min_plausible=-1, max_plausible=12)
    reading = said(value=value)

    assert isinstance(reading, Reading)
    assert quality is examine(reading, sensor).quality


def test_suspect_does_not_hide_what_the_source_said() -> None:
    """A test value stays a test value, however odd."""
    sensor = KnownSensor("rio-1", "puente", Property.RIVER_LEVEL, max_plausible=1)
    reading = said(quality="test")

    assert isinstance(reading, Reading)
    assert Quality.TEST is examine(reading, sensor).quality


@given(offered=json_values)
def test_any_json_is_answered(offered: object) -> None:
    """No value that JSON can carry raises."""
    assert isinstance(normalise(offered, NOW), Reading | Fault)


@given(field=st.sampled_from([*GOOD, "sequence", "quality", "event_id"]), value=json_values)
def test_any_json_in_any_field_is_answered(field: str, value: object) -> None:
    """One field out of order raises nothing, and what is accepted can be written down."""
    outcome = normalise({**GOOD, field: value}, NOW)

    if isinstance(outcome, Reading):
        outcome.identity.encode()
        assert math.isfinite(outcome.value)
        assert outcome.observed_at <= NOW + timedelta(minutes=5)
        json.dumps(outcome.sensor_id).encode()
    else:
        outcome.detail.encode()


@given(
    value=st.floats(min_value=-1000, max_value=1000).map(lambda x: round(x, 2)),
)
def test_centimetres_and_metres_are_the_same_reading(value: float) -> None:
    """Two decimals of a metre survive the way through centimetres."""
    from decimal import Decimal

    cm = float(Decimal(repr(value)) * 100)
    in_m, in_cm = said(value=value), said(value=cm, unit="cm")

    assert isinstance(in_m, Reading)
    assert isinstance(in_cm, Reading)
    assert in_m.value == in_cm.value
