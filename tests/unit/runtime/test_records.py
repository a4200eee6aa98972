"""What a record says, and which of the four fates an unreadable one has."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import Envelope, EnvelopeError
from schemas.events.municipality import MunicipalityActivated
from schemas.events.readings import ClockTicked, ReadingPublished
from services.runtime.errors import Forged, OursMalformed, Refused, Unsigned
from services.runtime.records import Record, envelope_of, open_record
from services.runtime.signing import generate_keys, load_signer, load_verifier
from tests.unit.runtime.conftest import START

TICK = Envelope("t1", "municipio/ingest", "clock.ticked", START, "*")
PUBLISHED = Envelope("p1", "red/cuenca", "reading.published", START, "ejemplo")
READING = (
    b'{"sensor_id":"g1","property":"river_level","value":2.5,"unit":"m",'
    b'"observed_at":"2024-05-02T13:15:00-03:00"}'
)


def record(topic: str, envelope: Envelope, value: bytes) -> Record:
    return Record(topic, 2, 41, b"ejemplo", value, tuple(envelope.headers()))


def test_our_own_record_opens() -> None:
    """Envelope and event, typed."""
    envelope, event = open_record(record("readings", TICK, ClockTicked(now=START).json_bytes()))
    assert envelope == TICK
    assert event == ClockTicked(now=START)


def test_a_record_from_outside_opens() -> None:
    """The offset is turned into UTC."""
    _, event = open_record(record("readings.external", PUBLISHED, READING))
    assert isinstance(event, ReadingPublished)
    assert event.observed_at == START


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "value.empty"),
        (b"\xff\xfe", "value.invalid"),
        (b"{", "value.invalid"),
        (b"[" * 100_000, "value.invalid"),
        (READING.replace(b"2.5", b"NaN"), "value.invalid"),
        (READING.replace(b'"value":2.5,', b""), "value.invalid"),
    ],
    ids=["tombstone", "not UTF-8", "not JSON", "deeply nested", "NaN", "a field is missing"],
)
def test_poison_from_outside_is_refused_with_its_reason(value: bytes, reason: str) -> None:
    """A dead letter; the partition goes on. The value itself is never in the message."""
    with pytest.raises(Refused) as told:
        open_record(record("readings.external", PUBLISHED, value))
    assert told.value.reason == reason
    assert not told.value.is_attack
    assert "2.5" not in str(told.value)


def test_an_unknown_type_from_outside_is_refused() -> None:
    """Somebody else's event."""
    with pytest.raises(Refused, match=r"type\.unknown"):
        open_record(record("readings.external", replace(PUBLISHED, type="reading.published.v9"), READING))


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (("ce_id", b"\xff"), "envelope.id"),
        (("ce_id", b"a\x00b"), "envelope.id"),
        (("ce_time", b"yesterday"), "envelope.time"),
        (None, "envelope.specversion"),
    ],
    ids=["id not UTF-8", "null in the id", "no time", "no headers at all"],
)
def test_a_bad_envelope_from_outside_is_refused(header: tuple[str, bytes] | None, reason: str) -> None:
    """FastStream would have skipped it in silence."""
    kept = [pair for pair in PUBLISHED.headers() if header and pair[0] != header[0]]
    bad = Record("readings.external", 0, 0, None, READING, tuple([*kept, header] if header else []))
    with pytest.raises(EnvelopeError):
        envelope_of(bad)
    with pytest.raises(Refused) as told:
        open_record(bad)
    assert told.value.reason == reason


@pytest.mark.parametrize(
    ("envelope", "value"),
    [(TICK, b"{"), (replace(TICK, type="clock.ticked.v2"), b"{}"), (replace(TICK, id=""), b"{}")],
    ids=["not JSON", "unknown major", "no id"],
)
def test_malformed_on_our_own_topic_stops_the_consumer(envelope: Envelope, value: bytes) -> None:
    """Never dead-lettered: it names topic, partition and offset, and what to do."""
    with pytest.raises(OursMalformed, match=r"readings\[2\]@41 cannot be read: .*upgrade"):
        open_record(record("readings", envelope, value))


def test_authority_needs_a_signature_that_holds(tmp_path: Path) -> None:
    """Well-formed but unsigned or forged: an attack; signed by its producer: opened."""
    generate_keys(tmp_path, ["ingest", "triage"])
    verifier = load_verifier(tmp_path)
    envelope = Envelope("i1", "municipio/triage", "municipality.activated", START, "ejemplo")
    value = _activated()
    with pytest.raises(Unsigned):
        open_record(record("municipality", envelope, value), verifier)
    forged = load_signer(tmp_path, "ingest").seal("municipality", envelope, value)
    with pytest.raises(Forged):
        open_record(record("municipality", forged, value), verifier)
    sealed = load_signer(tmp_path, "triage").seal("municipality", envelope, value)
    assert open_record(record("municipality", sealed, value), verifier)[0].municipality == "ejemplo"


def test_a_signed_topic_is_never_opened_without_a_verifier() -> None:
    """Forgetting it is a bug of ours, not a way round it."""
    envelope = Envelope("i1", "municipio/triage", "municipality.activated", START, "ejemplo")
    with pytest.raises(ValueError, match="needs a verifier"):
        open_record(record("municipality", envelope, _activated()))


@given(
    value=st.binary(max_size=200),
    headers=st.lists(
        st.tuples(st.sampled_from(["ce_id", "ce_type", "ce_time", "x"]), st.binary(max_size=20)), max_size=8
    ),
    topic=st.sampled_from(["readings.external", "readings", "tasks"]),
)
def test_no_bytes_escape_the_four_fates(value: bytes, headers: list[tuple[str, bytes]], topic: str) -> None:
    """Anything at all is opened, refused, or stops the consumer; nothing else is ever raised."""
    expected = Refused if topic == "readings.external" else OursMalformed
    with contextlib.suppress(expected):
        open_record(Record(topic, 0, 0, None, value, tuple(headers)))


def _activated() -> bytes:
    return MunicipalityActivated(folder_hash="a" * 64, rulebook_version="1", activated_at=START).json_bytes()
