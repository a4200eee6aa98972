"""The door ``POST /v1/readings``: what it takes, what it refuses and in which words."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from services.ingest.app import App
from services.ingest.domain.keys import KeyName, digest_of, sign
from services.ingest.settings import IngestSettings
from services.runtime.clock import HandClock
from services.runtime.database import Database
from services.runtime.errors import DatabaseDown
from tests.unit.ingest.conftest import CATALOGUE, START, FakePublisher

ADMIN = {"Authorization": "Bearer administrator"}
GOOD = {
    "sensor_id": "rio-1",
    "property": "river_level",
    "value": 2.32,
    "unit": "m",
    "observed_at": "2026-05-02T08:55:00-03:00",
}


@pytest.fixture
def app(sqlite_db: Database, clock: HandClock, publisher: FakePublisher, tmp_path: Path) -> App:
    settings = IngestSettings(admin_token=SecretStr("administrator"), data_dir=tmp_path)
    return App(
        settings, db=sqlite_db, clock=clock, catalogue=CATALOGUE, publisher=publisher, wall=lambda: START
    )


@pytest.fixture
async def door(app: App) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app.http, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
        yield client


async def make_key(door: httpx.AsyncClient, town: str = "alta", **more: object) -> str:
    answer = await door.post(
        "/admin/v1/keys", json={"municipality": town, "name": "red", **more}, headers=ADMIN
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["key"]


@pytest.fixture
async def key(door: httpx.AsyncClient) -> str:
    return await make_key(door)


async def post(
    door: httpx.AsyncClient,
    key: str | None,
    content: object,
    kind: str | None = "application/json",
    **headers: str,
) -> httpx.Response:
    sent = {**headers}
    if key is not None:
        sent["Authorization"] = f"Bearer {key}"
    if kind is not None:
        sent["Content-Type"] = kind
    body = content if isinstance(content, bytes | str) else json.dumps(content)
    return await door.post("/v1/readings", content=body, headers=sent)


def answer(**changes: object) -> dict[str, object]:
    zero = {"accepted": 0, "duplicates": 0, "corrections": 0, "quarantined": 0}
    return {**zero, "rejected_count": 0, "rejected": [], **changes}


async def test_one_reading_is_answered_as_the_doors_page_says(door, key) -> None:
    """202 with every count, after the commit."""
    response = await post(door, key, GOOD)

    assert response.status_code == 202
    assert answer(accepted=1) == response.json()


async def test_array_and_lines_are_taken_and_told_apart(door, key) -> None:
    """The same again is a duplicate, another value a correction; all are good."""
    other = {**GOOD, "value": 2.4}
    array = await post(door, key, [GOOD, GOOD, other])
    lines = "\n".join(map(json.dumps, [GOOD, {**GOOD, "sensor_id": "rio-2"}])) + "\n\n"
    ndjson = await post(door, key, lines, "application/x-ndjson; charset=utf-8")

    assert answer(accepted=1, duplicates=1, corrections=1) == array.json()
    assert answer(accepted=1, duplicates=1) == ndjson.json()


async def test_good_rows_pass_beside_bad_ones(door, key) -> None:
    """Each refusal has its place and its reason."""
    naive = {**GOOD, "observed_at": "2026-05-02T11:00:00"}
    response = await post(door, key, [naive, GOOD, 3])

    assert response.status_code == 202
    body = response.json()
    assert (1, 2) == (body["accepted"], body["rejected_count"])
    assert ["#/0/observed_at", "#/2"] == [each["pointer"] for each in body["rejected"]]
    assert [0, 2] == [each["index"] for each in body["rejected"]]


async def test_broken_line_is_refused_alone(door, key) -> None:
    """The lines around it are whole."""
    response = await post(door, key, json.dumps(GOOD) + '\n{"sensor_id": ', "application/x-ndjson")

    assert response.status_code == 202
    assert (1, 1) == (response.json()["accepted"], response.json()["rejected_count"])


BAD_READINGS = {
    "NaN": json.dumps({**GOOD, "value": float("nan")}),
    "infinity": json.dumps({**GOOD, "value": float("-inf")}),
    "wrong unit": json.dumps({**GOOD, "unit": "kg"}),
    "naive time": json.dumps({**GOOD, "observed_at": "2026-05-02T11:55:00"}),
    "two days ahead": json.dumps({**GOOD, "observed_at": "2026-05-04T12:00:00Z"}),
    "400 digits": json.dumps(GOOD).replace("2.32", "9" * 400),
    "NUL in the id": json.dumps({**GOOD, "sensor_id": "a\x00"}),
    "half a surrogate": json.dumps({**GOOD, "event_id": "\ud800"}),
    "a number": "5",
    "null": "null",
    "empty object": "{}",
    "empty array": "[]",
    "array in array": f"[[{json.dumps(GOOD)}]]",
    "deep but readable value": json.dumps(GOOD).replace("2.32", "[" * 200 + "]" * 200),
}


@pytest.mark.parametrize("body", BAD_READINGS.values(), ids=BAD_READINGS.keys())
async def test_reading_that_cannot_be_is_422_with_its_place(door, key, body: str) -> None:
    """Understood and refused; nothing of it is stored."""
    response = await post(door, key, body)

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["accepted"] == 0
    assert all(each["pointer"].startswith("#") for each in response.json()["errors"])


BAD_BODIES = {
    "empty": (b"", 400),
    "words": (b"hola", 400),
    "half": (b'{"sensor_id"', 400),
    "not UTF-8": (b'{"sensor_id": "\xff"}', 400),
    "nested too deeply": (b"[" * 200_000, 400),
    "nested objects": (b'{"a":' * 100_000, 400),
    "5000 digits": (json.dumps(GOOD).replace("2.32", "9" * 5000).encode(), 400),
    "2 MiB": (b" " * (2 * 1024 * 1024), 413),
    "too many rows": (b"[" + b",".join([b"0"] * 10_001) + b"]", 413),
}


@pytest.mark.parametrize(("body", "status"), BAD_BODIES.values(), ids=BAD_BODIES.keys())
async def test_body_that_cannot_be_read_says_why(door, key, body: bytes, status: int) -> None:
    """Never 5xx, always a problem document with a reason."""
    response = await post(door, key, body)

    assert status == response.status_code
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"]


async def test_two_mebibytes_in_chunks_are_refused_too(door, key) -> None:
    """Without a length in the head the body is cut off as it comes."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * 32_768

    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    response = await door.post("/v1/readings", content=chunks(), headers=headers)

    assert response.status_code == 413


@pytest.mark.parametrize("kind", [None, "text/plain", "application/xml", "multipart/form-data; boundary=x"])
async def test_other_type_of_body_is_415(door, key, kind: str | None) -> None:
    """The answer names the types that are taken."""
    response = await post(door, key, GOOD, kind)

    assert response.status_code == 415
    assert "application/json" in response.json()["detail"]


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer x", "Basic YTpi", "Bearer mk~alta~000000000000~" + "x" * 43, "Bearer " + "ñ" * 9],
)
async def test_no_key_or_another_is_401(door, header: str) -> None:
    """The answer says how to ask, not which keys exist."""
    headers = {"Authorization": header.encode(), "Content-Type": "application/json"}
    response = await door.post("/v1/readings", content=json.dumps(GOOD), headers=headers)

    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")


async def test_right_key_with_wrong_secret_is_401(door, key) -> None:
    """One character off."""
    assert (await post(door, key[:-1] + ("A" if key[-1] != "A" else "B"), GOOD)).status_code == 401


async def test_revoked_key_is_401_at_once(door, key) -> None:
    """What was accepted with it stays."""
    assert (await post(door, key, GOOD)).status_code == 202
    key_id = key.split("~")[2]
    gone = await door.delete(f"/admin/v1/keys/{key_id}?municipality=alta", headers=ADMIN)
    response = await post(door, key, GOOD)

    assert gone.status_code == 200
    assert response.status_code == 401
    assert "revoked" in response.json()["detail"]


async def test_expired_key_is_401(door) -> None:
    """By the real clock, whatever the town's clock says."""
    key = await make_key(door, expires_at=START.isoformat())

    assert (await post(door, key, GOOD)).status_code == 401


async def test_key_of_another_town_writes_only_there(door, app) -> None:
    """The same sensor id is the other town's own gauge; this town hears nothing."""
    key = await make_key(door, "baja")
    assert (await post(door, key, GOOD)).json()["accepted"] == 1

    accepted = (await door.get("/admin/v1/accepted", headers=ADMIN)).json()["items"]
    assert [("baja", 1)] == [(each["municipality"], each["count"]) for each in accepted]


async def test_sensor_outside_of_the_scope_is_403_and_beside_others_refused(door) -> None:
    """A key speaks for its own gauges; what else it sends is refused by row."""
    key = await make_key(door, sensors=["rio-1"])
    foreign = {**GOOD, "sensor_id": "rio-2"}
    alone, mixed = await post(door, key, foreign), await post(door, key, [foreign, GOOD])

    assert alone.status_code == 403
    assert answer(accepted=1)["accepted"] == mixed.json()["accepted"]
    assert "#/0/sensor_id" == mixed.json()["rejected"][0]["pointer"]


async def test_network_key_speaks_for_its_network_and_for_what_is_not_listed_yet(door) -> None:
    """A new gauge of the network is kept apart, a gauge of others is refused."""
    key = await make_key(door, network="cuenca")
    rows = [{**GOOD, "sensor_id": each} for each in ("red-1", "red-nueva", "rio-1")]
    body = (await post(door, key, rows)).json()

    assert (1, 1, 1) == (body["accepted"], body["quarantined"], body["rejected_count"])


async def test_unknown_sensor_is_counted_and_shown(door, key) -> None:
    """Quarantined, never lost."""
    response = await post(door, key, {**GOOD, "sensor_id": "nuevo"})
    status = (await door.get("/admin/v1/status", headers=ADMIN)).json()

    assert response.status_code == 202
    assert answer(quarantined=1) == response.json()
    assert any("sensor.unknown" in each for each in status["warnings"])


def signed(key: str, body: bytes, *, nonce: str = "nonce-0001", age: timedelta = timedelta()) -> str:
    _, town, key_id, _ = key.split("~")
    ts = int((START - age).timestamp())
    mark = sign(digest_of(key), ts, nonce, body).hex()
    return f"keyid={KeyName(town, key_id)},ts={ts},nonce={nonce},v1={mark}"


async def test_signed_request_is_taken_once(door) -> None:
    """Recorded and sent again it is refused."""
    key = await make_key(door, may_sign=True)
    body = json.dumps(GOOD)
    header = {"Municipio-Signature": signed(key, body.encode())}
    first = await post(door, None, body, **header)
    again = await post(door, None, body, **header)

    assert (202, 401) == (first.status_code, again.status_code)


@pytest.mark.parametrize(
    ("age", "tampered", "may_sign"),
    [
        pytest.param(timedelta(seconds=121), False, True, id="two minutes and one second old"),
        pytest.param(timedelta(), True, True, id="one byte more"),
        pytest.param(timedelta(), False, False, id="a key that may not sign"),
    ],
)
async def test_bad_signature_is_401(door, age: timedelta, tampered: bool, may_sign: bool) -> None:
    """Nothing of it is stored and no nonce is used up."""
    key = await make_key(door, may_sign=may_sign)
    body = json.dumps(GOOD)
    header = {"Municipio-Signature": signed(key, body.encode(), age=age)}
    response = await post(door, None, body + (" " if tampered else ""), **header)

    assert response.status_code == 401


async def test_concurrent_posts_lose_and_repeat_nothing(door, key) -> None:
    """Forty requests at once, each reading sent twice."""
    rows = [{**GOOD, "observed_at": f"2026-05-02T10:{minute:02}:00Z"} for minute in range(20)]
    answers = await asyncio.gather(*(post(door, key, row) for row in rows + rows))
    accepted = (await door.get("/admin/v1/accepted", headers=ADMIN)).json()["items"]

    assert {202} == {each.status_code for each in answers}
    assert 20 == sum(each.json()["accepted"] for each in answers)
    assert 20 == sum(each.json()["duplicates"] for each in answers)
    assert [20] == [each["count"] for each in accepted]


async def test_database_away_is_503_with_retry_after(door, key, app, monkeypatch) -> None:
    """Never a false yes."""

    async def down(*_: object, **__: object) -> None:
        raise DatabaseDown("away")

    monkeypatch.setattr(app.acceptance, "accept", down)
    response = await post(door, key, GOOD)

    assert response.status_code == 503
    assert response.headers["retry-after"]


async def test_accepts_while_the_broker_is_away(door, key, app, publisher) -> None:
    """Readings wait in the database and leave when it is back."""
    publisher.is_down = True
    assert (await post(door, key, GOOD)).status_code == 202
    await app.relay.drain()
    waiting = (await door.get("/admin/v1/quiescence", headers=ADMIN)).json()
    publisher.is_down = False
    await app.relay.drain()
    done = (await door.get("/admin/v1/quiescence", headers=ADMIN)).json()

    assert (1, 0) == (waiting["busy"], done["busy"])


@pytest.mark.parametrize("path", ["quiescence", "status", "accepted", "sources", "keys?municipality=a"])
async def test_admin_needs_the_administrators_token(door, key, path: str) -> None:
    """A source's key opens nothing there."""
    for headers in ({}, {"Authorization": f"Bearer {key}"}):
        assert (await door.get(f"/admin/v1/{path}", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"municipality": "nirgends", "name": "x"}', 422),
        (b'{"municipality": "alta"}', 422),
        (b'{"municipality": "alta", "name": "x", "expires_at": "2026-05-02T10:00:00"}', 422),
        (b"[" * 50_000, 400),
    ],
)
async def test_bad_key_request_says_why(door, body: bytes, status: int) -> None:
    """The field and the reason, no 5xx."""
    response = await door.post("/admin/v1/keys", content=body, headers=ADMIN)

    assert status == response.status_code


async def test_sources_show_their_silence(door, key, app) -> None:
    """A sensor that never spoke has no age, and is not shown as well."""
    await post(door, key, GOOD)
    items = (await door.get("/admin/v1/sources", headers=ADMIN)).json()["items"]
    by_id = {(each["municipality"], each["sensor_id"]): each for each in items}

    assert (300.0, False) == (by_id["alta", "rio-1"]["age_s"], by_id["alta", "rio-1"]["is_silent"])
    assert (None, True) == (by_id["alta", "rio-2"]["age_s"], by_id["alta", "rio-2"]["is_silent"])


async def test_tick_is_answered_once_it_stands_behind_the_readings(door, key, app, clock, publisher) -> None:
    """How a replay steps."""
    await post(door, key, GOOD)
    clock.wait(timedelta(microseconds=1))
    asked = asyncio.create_task(door.post("/admin/v1/tick", headers=ADMIN))
    await asyncio.sleep(0)
    await app.relay.drain()
    response = await asked

    assert response.status_code == 200
    assert clock.now().isoformat() == response.json()["now"]
    assert "sensor.measured" == publisher.sent[0].envelope.type


async def test_clock_that_was_set_back_is_409(door, key, app, clock) -> None:
    """The rules cannot unlearn the time."""
    await post(door, key, GOOD)
    await app.relay.drain()
    await app.ticker.saved()
    clock.set(START - timedelta(days=1))

    assert (await door.post("/admin/v1/tick", headers=ADMIN)).status_code == 409
