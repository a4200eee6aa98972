"""The door ``POST /v1/reports``: what it takes, what it refuses, and how a report's status is asked for."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from schemas.envelope import Envelope
from schemas.events.base import Reason
from schemas.events.incidents import IncidentClosed
from schemas.events.reports import ReportJudged
from schemas.topics import INCIDENTS, REPORTS
from schemas.vocabulary import Hazard, IncidentKind, IncidentState, Level, ReportVerdict
from services.ingest.app import App
from services.ingest.domain.sensors import Catalogue
from services.ingest.domain.zones import Zones
from services.ingest.outbound.retention import rules
from services.ingest.settings import IngestSettings
from services.runtime.clock import HandClock
from services.runtime.database import Database
from services.runtime.records import Record
from services.runtime.retention import Retention
from services.runtime.signing import generate_keys, load_signer
from tests.unit.ingest.conftest import START, FakePublisher
from tests.unit.ingest.test_http_readings import make_key

TOWNS = Catalogue.of(
    {"alta": [], "baja": []}, {"alta": Zones.of({"la-vega": ("La Vega", "Colonia La Vega")})}
)
GOOD = {
    "municipality": "alta",
    "event_id": "form-0001",
    "category": "ench",
    "text": "niño atrapado",
    "zone": "la-vega",
    "reported_at": "2026-05-02T11:55:00+00:00",
    "channel": "web",
}
WHY = (Reason(code="report.danger", text="Reporte: niño atrapado."),)


def make_app(db: Database, clock: HandClock, publisher: FakePublisher, path: Path, **more: object) -> App:
    generate_keys(path / "keys", ["ingest", "triage"])
    settings = IngestSettings(admin_token=SecretStr("administrator"), data_dir=path, **more)
    return App(settings, db=db, clock=clock, catalogue=TOWNS, publisher=publisher, wall=lambda: START)


@pytest.fixture
def app(db: Database, clock: HandClock, publisher: FakePublisher, tmp_path: Path) -> App:
    return make_app(db, clock, publisher, tmp_path)


@pytest.fixture
async def door(app: App) -> AsyncIterator[httpx.AsyncClient]:
    async with opened(app) as client:
        yield client


def opened(app: App) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app.http, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://ingest")


async def post(door: httpx.AsyncClient, **changes: object) -> httpx.Response:
    headers = changes.pop("headers", {})
    body = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    return await door.post("/v1/reports", json=body, headers=headers)  # type: ignore[arg-type] # headers


async def test_a_report_is_answered_with_its_place_and_published_once(app, door, publisher) -> None:
    """The same again is 200 with the same body; another under the same key is 409."""
    first, again = await post(door), await post(door)
    assert (201, 200) == (first.status_code, again.status_code)
    assert first.json() == again.json()
    assert first.headers["location"] == again.headers["location"] == first.json()["status_at"]
    assert 409 == (await post(door, text="otra cosa")).status_code
    await app.relay.drain()
    ((sent, event),) = publisher.of_type("report.received")
    assert ("reports", "alta", "ENCH", "la-vega", "public") == (
        sent.topic,
        sent.key,
        event["category"],
        event["zone"],
        event["source"],
    )


async def test_the_header_is_a_key_too_and_contact_counts_for_nothing(door) -> None:
    headers = {"Idempotency-Key": "8c0f6a0e"}
    first = await post(door, event_id=None, headers=headers)
    again = await post(door, event_id=None, headers=headers, contact="Ana, 7012-3456")
    assert (201, 200, first.json()) == (first.status_code, again.status_code, again.json())


async def test_survives_a_restart(door, db, clock, publisher, tmp_path) -> None:
    """What was committed is recognised by another process on the same database."""
    first = await post(door)
    async with opened(make_app(db, clock, publisher, tmp_path)) as another:
        again = await post(another)
        status = await another.get(first.headers["location"])
    assert (200, first.json()) == (again.status_code, again.json())
    assert "received" == status.json()["status"]


async def test_personal_words_never_reach_table_or_topic(app, door, db, publisher) -> None:
    await post(door, text="Soy Juan Pérez, 7012-3456", contact="juan@correo.sv", address="casa de Juan Pérez")
    await app.relay.drain()
    ((_, event),) = publisher.of_type("report.received")
    assert ("Soy [nombre], [número]", "casa de [nombre]") == (event["text"], event["address"])
    assert "contact" not in event


async def test_violence_between_people_leaves_a_number_and_nothing_else(app, door, publisher) -> None:
    await post(door, text="mi esposo me golpea", lat=13.5, lon=-88.9, address="Calle 3")
    await app.relay.drain()
    ((_, event),) = publisher.of_type("report.received")
    assert event["withheld"]
    assert set() == {"text", "zone", "lat", "lon", "address"} & event.keys()


BAD: dict[str, tuple[dict[str, object], str]] = {
    "no category": ({"category": None}, "#/category"),
    "category with a space": ({"category": "a b"}, "#/category"),
    "category a number": ({"category": 7}, "#/category"),
    "text too long": ({"text": "a" * 1001}, "#/text"),
    "half a character": ({"text": "\ud800"}, "#/text"),
    "unknown zone": ({"zone": "marte"}, "#/zone"),
    "nowhere": ({"zone": None}, "#/zone"),
    "lat alone": ({"lat": 13.5}, "#/lon"),
    "lon alone": ({"lon": -88.9}, "#/lat"),
    "lat of another planet": ({"lat": 91, "lon": 0}, "#/lat"),
    "lat a text": ({"lat": "13.5", "lon": -88.9}, "#/lat"),
    "lat a truth": ({"lat": True, "lon": -88.9}, "#/lat"),
    "no time": ({"reported_at": None}, "#/reported_at"),
    "time without offset": ({"reported_at": "2026-05-02T11:55:00"}, "#/reported_at"),
    "time a number": ({"reported_at": 1777000000}, "#/reported_at"),
    "time to come": ({"reported_at": "2026-05-02T12:30:00Z"}, "#/reported_at"),
    "time of last month": ({"reported_at": "2026-04-02T12:00:00Z"}, "#/reported_at"),
    "no channel": ({"channel": None}, "#/channel"),
    "unknown channel": ({"channel": "pigeon"}, "#/channel"),
    "911 without a key": ({"channel": "cad"}, "#/channel"),
    "no idempotency key": ({"event_id": None}, "#/event_id"),
    "key too short": ({"event_id": "1"}, "#/event_id"),
    "no town": ({"municipality": None}, "#/municipality"),
    "unknown town": ({"municipality": "otra"}, "#/municipality"),
    "misspelt field": ({"txt": "auxilio"}, "#/txt"),
    "contact too long": ({"contact": "1" * 201}, "#/contact"),
}


@pytest.mark.parametrize("case", BAD)
async def test_bad_input_is_refused_naming_the_field(app, case: str) -> None:
    changes, pointer = BAD[case]
    body = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    async with opened(app) as door:
        answer = await door.post(
            "/v1/reports", content=json.dumps(body), headers={"Content-Type": "application/json"}
        )
    assert (422, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert all(error["detail"] for error in answer.json()["errors"])


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[" * 100_000, "application/json", 413),
        (b"[" * 60_000, "application/json", 400),
        (b"[]", "application/json", 422),
        (b'{"lat": NaN}', "application/json", 422),
        (b"{}", "text/plain", 415),
        (b"{}", None, 415),
    ],
)
async def test_what_is_no_report_has_its_own_answer(
    door, content: bytes, kind: str | None, status: int
) -> None:
    headers = {"Content-Type": kind} if kind else {}
    answer = await door.post("/v1/reports", content=content, headers=headers)
    assert (status, "application/problem+json") == (answer.status_code, answer.headers["content-type"])


async def test_two_keys_that_differ_are_refused(door) -> None:
    answer = await post(door, headers={"Idempotency-Key": "another-key"})
    assert (422, "#/event_id") == (answer.status_code, answer.json()["errors"][0]["pointer"])
    assert 400 == (await post(door, event_id=None, headers={"Idempotency-Key": "x"})).status_code


async def test_key_with_the_reports_scope_speaks_for_911(app, door, publisher) -> None:
    key = await make_key(door, reports=True)
    answer = await post(door, municipality=None, channel="cad", headers={"Authorization": f"Bearer {key}"})
    assert 201 == answer.status_code
    await app.relay.drain()
    ((_, event),) = publisher.of_type("report.received")
    assert event["source"].startswith("key:alta~")
    body = {**GOOD, "municipality": "baja"}
    other = await door.post("/v1/reports", json=body, headers={"Authorization": f"Bearer {key}"})
    assert (422, "#/municipality") == (other.status_code, other.json()["errors"][0]["pointer"])


async def test_key_for_sensors_may_not_report_nor_the_other_way(door) -> None:
    gauges, reports = await make_key(door), await make_key(door, reports=True)
    assert 403 == (await post(door, headers={"Authorization": f"Bearer {gauges}"})).status_code
    reading = {
        "sensor_id": "r",
        "property": "river_level",
        "value": 1,
        "unit": "m",
        "observed_at": "2026-05-02T11:55:00Z",
    }
    answer = await door.post("/v1/readings", json=reading, headers={"Authorization": f"Bearer {reports}"})
    assert 403 == answer.status_code
    assert 401 == (await post(door, headers={"Authorization": "Bearer nothing"})).status_code


async def test_a_source_that_sends_too_much_comes_again_later(db, clock, publisher, tmp_path) -> None:
    app = make_app(db, clock, publisher, tmp_path, ingest_reports_address_most=2)
    async with opened(app) as door:
        answers = [await post(door, event_id=f"form-000{number}") for number in range(3)]
    assert [201, 201, 429] == [answer.status_code for answer in answers]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60


async def test_a_town_may_close_the_public_door(db, clock, publisher, tmp_path) -> None:
    app = make_app(db, clock, publisher, tmp_path, ingest_reports_public=False)
    async with opened(app) as door:
        answer = await post(door)
    assert (401, "Bearer") == (answer.status_code, answer.headers["www-authenticate"])


@pytest.mark.parametrize("number", ["alta~", "alta~" + "A" * 24, "x", "alta~" + "A" * 500])
async def test_a_number_that_is_nobodys_opens_nothing(door, number: str) -> None:
    assert 404 == (await door.get(f"/v1/reports/{number}")).status_code


async def test_status_is_true_to_the_end_in_whatever_order_news_come(app, door, tmp_path) -> None:
    """The incident's end may be read before the verdict that joins the report to it."""
    place = (await post(door)).headers["location"]
    report_id = place.rpartition("/")[2]
    assert "received" == (await door.get(place)).json()["status"]
    await app.consume(INCIDENTS.name, [closed(tmp_path)] * 2)
    await app.consume(REPORTS.name, [judged(report_id), judged("alta~of-another-day")])
    status = (await door.get(place)).json()
    assert ("closed", "incident_closed") == (status["status"], status["outcome"]["code"])
    assert "i-1" not in json.dumps(status)


async def test_forged_end_of_an_incident_is_a_dead_letter(app, door, tmp_path) -> None:
    forged = closed(tmp_path)
    forged = Record(forged.topic, 0, 9, None, forged.value.replace(b"i-1", b"i-2"), forged.headers)
    await app.consume(INCIDENTS.name, [forged])
    async with app.db.reading() as conn:
        (letter,) = await app.dead_letters.list(conn)
    assert "signature.forged" == letter.reason


async def test_old_reports_and_incidents_are_forgotten(app, door, tmp_path) -> None:
    place = (await post(door)).headers["location"]
    later = app.wall() + timedelta(days=app.settings.ingest_reports_days, minutes=1)
    forgetting = Retention(app.db, rules(app.settings), town=app.clock.now, wall=lambda: later)
    assert await forgetting.enforce() >= 1
    assert 404 == (await door.get(place)).status_code


def judged(report_id: str) -> Record:
    event = ReportJudged(
        report_id=report_id, verdict=ReportVerdict.JOINED, reasons=WHY, judged_at=START, incident_id="i-1"
    )
    envelope = Envelope("e-1", "triage", event.TYPE, START, "alta")
    return Record(REPORTS.name, 0, 0, None, event.json_bytes(), tuple(envelope.headers()))


def closed(path: Path) -> Record:
    event = IncidentClosed(
        incident_id="i-1",
        version=2,
        kind=IncidentKind.HAZARD,
        hazard=Hazard.FLOOD,
        state=IncidentState.CLOSED,
        level=Level.PREPARE,
        previous_level=Level.PREPARE,
        opened_at=START,
        observed_at=START,
        classified_at=START,
        rulebook_version="1",
        reasons=WHY,
    )
    value = event.json_bytes()
    envelope = Envelope("e-2", "triage", event.TYPE, START, "alta")
    sealed = load_signer(path / "keys", "triage").seal(INCIDENTS.name, envelope, value)
    return Record(INCIDENTS.name, 0, 0, None, value, tuple(sealed.headers()))
