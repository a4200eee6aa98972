"""What others write on our topics is an attack or a bug: neither sends a text, and neither loses one."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from schemas.envelope import Envelope
from schemas.vocabulary import Lane
from services.runtime.errors import OursMalformed
from services.runtime.outbox import Outgoing
from services.runtime.records import Record
from services.runtime.signing import load_signer
from tests.stories.scenes import flood, incident_of, neighbours
from tests.support.town import Town

BY = ["nobody", "ingest", "a stranger"]


def signed_by(town: Town, who: str, topic: str, envelope: Envelope, value: bytes) -> Envelope:
    """Return the envelope with no signature, another service's, or one under a key id nobody knows."""
    if who == "nobody":
        return envelope
    named = load_signer(town.data / "keys", "ingest").seal(topic, envelope, value)
    return named if who == "ingest" else replace(named, kid="triage-000000000000")


def append(town: Town, who: str, topic: str, kind: str, key: str, value: bytes, event_id: str) -> Record:
    """Write a record of a type by somebody who may not."""
    envelope = Envelope(
        id=event_id,
        source="/triage",
        type=kind,
        time=town.clock.now(),
        municipality="alta",
        subject=key,
    )
    envelope = signed_by(town, who, topic, envelope, value)
    return town.pipe.append(Outgoing(topic, key, envelope, value, Lane.INCIDENTS))


def worse(record: Record) -> bytes:
    """Return an incident's snapshot as a forger would like it: higher, and newer."""
    told = json.loads(record.value)
    return json.dumps(told | {"version": 99, "level": 4, "zone_levels": {"z-001": 4}}).encode()


def test_a_forged_incident_sends_nothing_and_is_told(town: Town) -> None:
    """A level 4 that triage never signed: dead letter, audit, a page to a person, and life goes on."""
    question = flood(town)
    genuine = next(town.pipe.of_type("incident.classified"))
    key = (genuine.key or b"").decode()
    for who in BY:
        append(town, who, "incidents", "incident.classified", key, worse(genuine), f"by {who}")
    town.settle()
    town.phone("ana").expects_sms("sin firma válida")
    assert 3 == incident_of(town)["level"]
    assert 3 == town.rows("notify", "SELECT count(*) FROM dead_letter")[0][0]
    assert [("authority.refused",)] * 3 == town.rows("notify", "SELECT action FROM audit")
    question.replies("SI {code}")
    town.phone("ana").expects_sms("autorizado")
    neighbours(town).expects_sms("warning", "Salga YA")


def test_a_forged_decision_sends_nothing_and_is_told(town: Town) -> None:
    """A yes in Ana's name that no service signed: both readers refuse it, and write it down."""
    flood(town).stays_silent()
    incident_id = incident_of(town)["incident_id"]
    decision = town.decision("ana", incident_id, "approve", via="sms")
    lower = town.decision("ana", incident_id, "lower", level=0, via="sms")
    for said in (decision, lower):
        forged = said.model_copy(update={"operator_signature": None}).json_bytes()
        for who in BY:
            event_id = f"{said.verb} by {who}"
            append(town, who, "decisions", "coordinator.decided", "alta", forged, event_id)
    town.settle()
    town.phone("ana").expects_sms("sin firma válida", "decisions")
    neighbours(town).expects_nothing()
    assert 3 == incident_of(town)["level"]
    for service in ("notify", "triage"):
        assert 6 == town.rows(service, "SELECT count(*) FROM dead_letter")[0][0]
        assert 6 == town.rows(service, "SELECT count(*) FROM audit")[0][0]
    assert "applied" == town.decides("beto", incident_id, "approve")
    neighbours(town).expects_sms("warning")


@pytest.mark.parametrize(
    ("service", "topic", "kind"),
    [
        ("triage", "incidents", "incident.classified"),
        ("notify", "decisions", "coordinator.decided"),
    ],
)
def test_a_malformed_record_of_ours_stops_its_reader_and_skips_nothing(
    town: Town, service: str, topic: str, kind: str
) -> None:
    """Our own signature over nonsense is our bug: the reader stops there; once mended, all is told."""
    value = b'{"level": "high"'
    plain = Envelope(id="bug", source=f"/{service}", type=kind, time=town.clock.now(), municipality="alta")
    envelope = load_signer(town.data / "keys", service).seal(topic, plain, value)
    bad = town.pipe.append(Outgoing(topic, "alta", envelope, value, Lane.INCIDENTS))
    with pytest.raises(OursMalformed):
        town.gauge("g-001").sends(2.6)
    with pytest.raises(OursMalformed):
        town.wait(minutes=5)
    assert [] == town.phones.entries("message", "call")
    town.pipe.records[topic].remove(bad)
    town.settle()
    town.phone("ana").expects_sms("flood").replies("OK {code}")


def test_a_town_that_notify_has_not_loaded_stops_it_and_loses_nothing(town: Town) -> None:
    """Triage read a new folder first: its incident is no dead letter, notify waits to be restarted."""
    flood(town)
    genuine = next(town.pipe.of_type("incident.classified"))
    named = Envelope(
        id="new-town",
        source="/triage",
        type="incident.classified",
        time=town.clock.now(),
        municipality="nueva",
    )
    envelope = load_signer(town.data / "keys", "triage").seal("incidents", named, genuine.value)
    early = town.pipe.append(Outgoing("incidents", "nueva", envelope, genuine.value, Lane.INCIDENTS))
    with pytest.raises(OursMalformed):
        town.settle()
    assert 0 == town.rows("notify", "SELECT count(*) FROM dead_letter")[0][0]
    town.pipe.records["incidents"].remove(early)
