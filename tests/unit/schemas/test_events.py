"""Envelope and events: what is read tolerantly, what strictly."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from schemas.envelope import Envelope, EnvelopeError
from schemas.events.decisions import CoordinatorDecided
from schemas.events.readings import ClockTicked, SensorMeasured
from schemas.events.warnings import ZoneText, content_hash
from schemas.topics import READINGS, SHARDS, partition_of, shard_of
from schemas.vocabulary import Hazard, Verb

NOW = datetime(2026, 5, 5, 9, tzinfo=UTC)
ENVELOPE = Envelope("1", "/ingest", "clock.ticked", NOW, "*")
TEXT = ZoneText(zone="la-vega", language="es", text="Salga YA", segments=1)


def test_envelope_survives_its_headers() -> None:
    """What is written as Kafka headers is read back the same."""
    full = Envelope("1", "/triage", "incident.classified", NOW, "ejemplo", "i", "c", "b", "x", "s", "k")
    for envelope in (ENVELOPE, full):
        assert envelope == Envelope.parse(envelope.headers())


@pytest.mark.parametrize(
    ("name", "raw", "field"),
    [
        ("ce_specversion", b"0.3", "specversion"),
        ("ce_id", b"", "id"),
        ("ce_type", b"\xff", "type"),
        ("ce_time", b"2026-05-05T09:00:00", "time"),
        ("ce_time", b"2026-02-30T09:00:00Z", "time"),
        ("ce_municipality", b"", "municipality"),
        ("ce_source", b"x" * 513, "source"),
    ],
)
def test_envelope_that_is_none_of_ours_names_the_attribute(name: str, raw: bytes, field: str) -> None:
    """A bad header is said by its attribute, without its value."""
    with pytest.raises(EnvelopeError) as caught:
        Envelope.parse(dict(ENVELOPE.headers()) | {name: raw})
    assert field == caught.value.field


def test_envelope_with_an_attribute_twice_is_refused() -> None:
    """Two ids would let one consumer see the first and another the last."""
    with pytest.raises(EnvelopeError, match="twice"):
        Envelope.parse([*ENVELOPE.headers(), ("ce_id", b"2")])


def test_signature_covers_topic_attributes_and_value() -> None:
    """Change any of them and other bytes are signed; the signature itself is not among them."""
    signed = ENVELOPE.with_signature(b"x", "k")
    base = signed.signed_bytes("incidents", b"{}")
    other = Envelope("2", "/ingest", "clock.ticked", NOW, "*").with_signature(b"x", "k")
    different = {
        signed.signed_bytes("decisions", b"{}"),
        signed.signed_bytes("incidents", b"{ }"),
        other.signed_bytes("incidents", b"{}"),
        ENVELOPE.with_signature(b"x", "q").signed_bytes("incidents", b"{}"),
    }
    assert base not in different
    assert base == ENVELOPE.with_signature(b"y", "k").signed_bytes("incidents", b"{}")


def test_operator_signature_binds_the_municipality() -> None:
    """A decision signed for one town is nothing in another with the same incident id."""
    decision = CoordinatorDecided(
        decision_id="d", incident_id="i", verb=Verb.CLOSE, operator_id="ana", decided_at=NOW, via="cli"
    )
    signed = decision.model_copy(update={"operator_signature": "abc"})
    assert decision.signed_bytes("alfa") != decision.signed_bytes("beta")
    assert decision.signed_bytes("alfa") == signed.signed_bytes("alfa")


@pytest.mark.parametrize(
    "other",
    [
        {"incident_version": 2},
        {"zones": ("la-vega", "el-centro")},
        {"audience_digest": "b"},
        {"texts": (TEXT.model_copy(update={"text": "Salga Ya"}),)},
        {"texts": (TEXT.model_copy(update={"language": "en"}),)},
        {"texts": ()},
    ],
    ids=lambda other: next(iter(other)),
)
def test_content_hash_changes_with_any_part(other: dict[str, object]) -> None:
    """One byte of any text, another zone, audience or incident version is another warning."""
    parts = {
        "incident_id": "i",
        "incident_version": 1,
        "zones": ("la-vega",),
        "texts": (TEXT,),
        "audience_digest": "a",
    }
    assert content_hash(**parts) == content_hash(**parts)  # type: ignore[arg-type] # one table of parts
    assert content_hash(**parts) != content_hash(**(parts | other))  # type: ignore[arg-type] # the same


def test_time_without_offset_is_no_event() -> None:
    """A naive time has no meaning between towns."""
    with pytest.raises(ValidationError):
        ClockTicked.model_validate({"now": "2026-05-05T09:00:00"})


def test_unknown_word_becomes_unknown() -> None:
    """A newer producer's word goes to a person instead of stopping the partition."""
    assert Hazard.UNKNOWN is Hazard("tsunami")


def test_empty_pack_of_readings_is_refused() -> None:
    """One record carries 1 to 500 readings."""
    with pytest.raises(ValidationError):
        SensorMeasured(readings=())


def test_shards_keep_their_partition_ranges() -> None:
    """Every shard maps into the partitions, in contiguous ranges, the same on every machine."""
    assert 5 == shard_of("ejemplo", "puente-viejo")
    partitions = {partition_of("ejemplo", f"sitio-{index}") for index in range(500)}
    assert set(range(READINGS.partitions)) == partitions
    ranges = [shard * READINGS.partitions // SHARDS for shard in range(SHARDS)]
    assert ranges == sorted(ranges)
