"""The webhook door: only the carrier gets in, and what it said is on the disk before it hears so."""

import asyncio
import base64
import sqlite3
from datetime import UTC, datetime
from urllib.parse import urlencode

import httpx
import pytest
from twilio.request_validator import RequestValidator

from schemas.vocabulary import Channel, Purpose
from services.notify.carrier_settings import CarrierSettings
from services.notify.inbound.door import Door
from services.notify.inbound.door_process import keep_house
from services.notify.outbound import callback_token
from services.notify.outbound.callback_token import Subject
from services.notify.outbound.spool import Request, Spool
from services.runtime.clock import HandClock
from services.runtime.errors import DatabaseBusy
from services.runtime.health import Health
from tests.contract.doors import routes

PUBLIC = "https://door.example"
TOKEN, OLD, ADMIN = "a" * 32, "b" * 32, "admin-token"
PAGE = Subject("ejemplo", "m-1", 1, Channel.VOICE, Purpose.PAGE)
STATUS = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+50370000001"}


class Caller:
    """Speaks to the door as the carrier does, or as somebody who pretends to be it."""

    def __init__(self, door: Door, spool: Spool) -> None:
        transport = httpx.ASGITransport(door.http, raise_app_exceptions=False)
        # Not the public address: the signature must not depend on what the request says of itself.
        self.http = httpx.AsyncClient(transport=transport, base_url="http://10.0.0.7:8083")
        self.app, self.spool = door.http, spool

    async def post(self, path, form, *, token=TOKEN, signature=None, headers=None):
        signed = (
            signature
            if signature is not None
            else RequestValidator(token).compute_signature(PUBLIC + path, form)
        )
        sent = {"X-Twilio-Signature": signed} | (headers or {})
        sent |= {"Content-Type": "application/x-www-form-urlencoded"}
        return await self.http.post(
            path, content=urlencode(form), headers={k: v for k, v in sent.items() if v}
        )

    async def kept(self):
        return [each.request for each in await self.spool.after(0, 100)]

    async def get(self, path, token=ADMIN):
        return await self.http.get(path, headers={"Authorization": f"Bearer {token}"})

    async def metric(self, name):
        lines = (await self.get("/metrics")).text.splitlines()
        return [line for line in lines if line.startswith(name)]


@pytest.fixture
async def door(tmp_path):
    spool = Spool(tmp_path / "door.sqlite")
    settings = CarrierSettings(
        twilio_auth_token=TOKEN, twilio_auth_token_previous=OLD, public_url=PUBLIC, admin_token=ADMIN
    )
    clock = HandClock(datetime(2024, 5, 6, tzinfo=UTC))
    caller = Caller(Door(settings, spool, clock, Health("door")), spool)
    yield caller
    await caller.http.aclose()
    await spool.close()


def path(step="message-status", subject=PAGE, secret=TOKEN):
    return f"/twilio/{step}?m={callback_token.sign(subject, secret)}"


async def test_a_signed_status_is_stored_then_answered_204(door):
    answer = await door.post(path(), STATUS)
    assert answer.status_code == 204
    [kept] = await door.kept()
    assert kept.kind == "message-status"
    assert kept.url == path()
    assert kept.form["MessageStatus"] == ["delivered"]
    assert kept.received_at == datetime(2024, 5, 6, tzinfo=UTC)


async def test_the_previous_token_still_counts(door):
    assert (await door.post(path(), STATUS, token=OLD)).status_code == 204


@pytest.mark.parametrize(
    ("signature", "headers"),
    [
        pytest.param("", {}, id="no header"),
        pytest.param("x", {}, id="nonsense"),
        pytest.param(base64.b64encode(b"0" * 20).decode(), {}, id="of the right length"),
        pytest.param("ñ", {}, id="not ASCII"),
    ],
)
async def test_unsigned_or_forged_is_403_stored_nowhere_and_counted(door, signature, headers):
    sent = {"X-Twilio-Signature": signature.encode()} if signature else {}
    sent |= {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await door.http.post(path(), content=urlencode(STATUS), headers=sent)
    assert answer.status_code == 403
    assert answer.json() == {"type": "about:blank", "title": "Forbidden", "status": 403}
    assert await door.kept() == []
    assert any(line.endswith(" 1.0") for line in await door.metric("municipio_door_refused_total"))


async def test_a_request_may_not_choose_its_algorithm(door):
    """A header that names another algorithm is not believed."""
    signed = RequestValidator(TOKEN).compute_signature(PUBLIC + path(), STATUS, "HMAC_SHA256")
    settings = {"X-Twilio-Webhooks-Signature-Settings": "key=k,algorithm=HMAC_SHA256"}
    assert (await door.post(path(), STATUS, signature=signed, headers=settings)).status_code == 403


async def test_another_path_parameter_or_field_breaks_the_signature(door):
    signed = RequestValidator(TOKEN).compute_signature(PUBLIC + path(), STATUS)
    other = path(subject=Subject("otra", "m-2", 1, Channel.SMS, Purpose.PAGE))
    assert (await door.post(other, STATUS, signature=signed)).status_code == 403
    assert (await door.post(path(), STATUS | {"To": "+1"}, signature=signed)).status_code == 403
    assert (await door.post(path() + "&x=1", STATUS, signature=signed)).status_code == 403


async def test_replayed_is_answered_again_and_stored_once(door):
    for _ in range(3):
        assert (await door.post(path(), STATUS)).status_code == 204
    assert len(await door.kept()) == 1
    await door.post(path(), STATUS | {"MessageStatus": "sent"})
    assert len(await door.kept()) == 2


async def test_replayed_after_notify_took_it_stays_taken(door):
    await door.post(path(), STATUS)
    await door.spool.take([each.id for each in await door.kept()])
    assert (await door.post(path(), STATUS)).status_code == 204
    assert await door.kept() == []


async def test_a_text_that_came_in_is_kept_once_per_sid(door):
    form = {"MessageSid": "SM7", "From": "+50370000001", "To": "+50370009999", "Body": "SI 4711"}
    answers = [await door.post("/twilio/message-in", form) for _ in range(2)]
    assert [each.status_code for each in answers] == [200, 200]
    assert answers[0].text.endswith("<Response />") or answers[0].text.endswith("<Response/>")
    [kept] = await door.kept()
    assert kept.form["Body"] == ["SI 4711"]


async def test_a_digit_is_thanked_for_and_kept(door):
    answer = await door.post(path("voice/1"), {"CallSid": "CA1", "Digits": "1"})
    assert "Gracias" in answer.text
    assert answer.headers["content-type"].startswith("text/xml")
    [kept] = await door.kept()
    assert (kept.kind, kept.form["Digits"]) == ("voice", ["1"])


async def test_a_digit_that_means_nothing_is_asked_about_once_more(door):
    first = await door.post(path("voice/1"), {"CallSid": "CA1", "Digits": "7"})
    assert "/twilio/voice/2?m=" in first.text
    assert "<Gather" in first.text
    second = await door.post(path("voice/2"), {"CallSid": "CA1", "Digits": "7"})
    assert "<Hangup" in second.text


async def test_four_digits_answer_only_where_a_code_was_asked_for(door):
    asked = Subject("ejemplo", "m-1", 1, Channel.VOICE, Purpose.AUTHORITY)
    assert "Gracias" in (await door.post(path("voice/1", asked), {"CallSid": "CA1", "Digits": "4711"})).text
    assert "<Gather" in (await door.post(path("voice/1"), {"CallSid": "CA2", "Digits": "4711"})).text


async def test_silence_ends_the_call_and_leaves_no_trace(door):
    answer = await door.post(path("voice/silence"), {"CallSid": "CA1"})
    assert "<Hangup" in answer.text
    assert await door.kept() == []


@pytest.mark.parametrize("step", ["voice/3", "voice/x", "voice/-1"])
async def test_an_unknown_step_is_not_found(door, step):
    assert (await door.post(path(step), {"CallSid": "CA1", "Digits": "1"})).status_code == 404


async def test_a_call_without_our_token_is_not_found(door):
    assert (await door.post("/twilio/voice/1?m=x.y", {"CallSid": "CA1"})).status_code == 404


async def test_a_signed_status_without_our_token_is_kept_for_a_person(door):
    assert (await door.post("/twilio/message-status", STATUS)).status_code == 204
    assert len(await door.kept()) == 1


async def test_the_body_is_limited(door):
    assert (await door.post(path(), {"Body": "x" * 70_000})).status_code == 413


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a=1&" * 300, b"{}", b"", b"%ff=%ff&=&&"])
async def test_garbage_never_makes_a_500(door, body):
    answer = await door.http.post(path(), content=body, headers={"X-Twilio-Signature": "x"})
    assert answer.status_code == 403


async def test_notify_takes_and_acknowledges(door):
    for number in range(3):
        await door.post(path(), STATUS | {"MessageSid": f"SM{number}"})
    page = (await door.get("/spool?after=0&limit=2")).json()
    assert [item["form"]["MessageSid"] for item in page["items"]] == [["SM0"], ["SM1"]]
    ids = {"ids": [item["id"] for item in page["items"]]}
    taken = await door.http.post("/spool/ack", json=ids, headers={"Authorization": f"Bearer {ADMIN}"})
    assert taken.json() == {"taken": 2}
    rest = (await door.get(f"/spool?after={page['next']}")).json()
    assert len(rest["items"]) == 1
    assert rest["next"] is None


async def test_the_spool_is_for_the_administrator_only(door):
    assert (await door.get("/spool", token="wrong")).status_code == 401
    assert (await door.http.get("/spool")).status_code == 401
    assert (await door.http.post("/spool/ack", json={"ids": []})).status_code == 401


@pytest.mark.parametrize("route", ["/metrics", "/openapi.json"])
async def test_the_carriers_side_shows_nothing_of_the_inside(door, route):
    """Strangers reach this port: webhooks, links and health are theirs, all else is the administrator's."""
    assert (await door.http.get(route)).status_code == 401
    assert (await door.get(route, token="wrong")).status_code == 401
    assert (await door.get(route)).status_code == 200


async def test_every_route_of_the_door_is_a_known_one(door):
    """A route that is added here is reached by strangers: it is listed first."""
    strangers = {"/twilio/message-status", "/twilio/message-in", "/twilio/voice/{step}", "/a/{token}"}
    health, ours = {"/healthz", "/readyz"}, {"/metrics", "/openapi.json", "/spool", "/spool/ack"}
    assert strangers | health | ours == {path for _, path, _ in routes(door.app)}
    for route in ours:
        assert (await door.http.request("POST" if route.endswith("ack") else "GET", route)).status_code == 401


async def test_a_full_disk_is_503_and_nothing_is_promised(door, monkeypatch):
    async def full(_request):
        raise DatabaseBusy("the spool takes nothing: OperationalError")

    monkeypatch.setattr(door.spool, "add", full)
    answer = await door.post(path(), STATUS)
    assert answer.status_code == 503


async def test_what_was_stored_survives_the_process(tmp_path):
    path_ = tmp_path / "door.sqlite"
    first = Spool(path_)
    request = Request("id-1", "message-in", datetime(2024, 5, 6, tzinfo=UTC), "/x", {"Body": ["SI"]})
    assert await first.add(request)
    second = Spool(path_)  # the first was never closed: killed
    assert [each.request for each in await second.after(0, 10)] == [request]
    assert not await second.add(request)
    await second.close()
    await first.close()


async def test_words_are_wiped_when_they_are_taken(tmp_path):
    spool = Spool(tmp_path / "door.sqlite")
    await spool.add(
        Request("id-1", "message-in", datetime(2024, 5, 6, tzinfo=UTC), "/x", {"Body": ["Salada"]})
    )
    await spool.take(["id-1"])
    await spool.close()
    rows = sqlite3.connect(tmp_path / "door.sqlite").execute("SELECT form FROM received").fetchall()
    assert rows == [("{}",)]
    assert b"Salada" not in (tmp_path / "door.sqlite").read_bytes()


class FullDisk:
    """A connection on a disk that is full for every statement that begins with one of these words."""

    def __init__(self, db):
        self._db, self.words = db, ("UPDATE", "INSERT", "DELETE")

    def __getattr__(self, name):
        return getattr(self._db, name)

    def execute(self, said, *more):
        if said.startswith(self.words):
            raise sqlite3.OperationalError("database or disk is full")
        return self._db.execute(said, *more)

    def executemany(self, said, *more):
        return self.execute(said) if said.startswith(self.words) else self._db.executemany(said, *more)


async def test_a_disk_full_on_acknowledgement_does_not_close_the_door_for_ever(tmp_path):
    """Nothing stays open behind an error: the next request is stored."""
    spool, at = Spool(tmp_path / "door.sqlite"), datetime(2024, 5, 6, tzinfo=UTC)
    assert await spool.add(Request("id-1", "x", at, "/", {}))
    true, spool._db = spool._db, FullDisk(spool._db)
    with pytest.raises(DatabaseBusy):
        await spool.take(["id-1"])
    spool._db = true
    assert await spool.add(Request("id-2", "x", at, "/", {}))
    assert await spool.take(["id-1", "id-2"]) == 2
    await spool.close()


async def test_a_spool_that_takes_nothing_is_not_alive(tmp_path):
    """Reading still works on a full disk; the door must not look well because of that."""
    spool, health = Spool(tmp_path / "door.sqlite"), Health("door", monotonic=lambda: 0.0)
    spool._db = FullDisk(spool._db)
    house = asyncio.create_task(keep_house(spool, health))
    async with asyncio.timeout(5):
        while health.ready().is_well:
            await asyncio.sleep(0)
    assert "cannot be written" in health.ready().troubles["spool"]
    house.cancel()
    spool._db.words = ()
    await spool.close()


async def test_many_at_once_share_a_commit(tmp_path):
    spool = Spool(tmp_path / "door.sqlite")
    at = datetime(2024, 5, 6, tzinfo=UTC)
    news = await asyncio.gather(*(spool.add(Request(f"id-{n % 150}", "x", at, "/", {})) for n in range(200)))
    assert sum(news) == 150
    assert await spool.waiting() == 150
    await spool.close()


async def test_the_taker_is_woken_by_news(tmp_path):
    spool = Spool(tmp_path / "door.sqlite")
    waiting = asyncio.create_task(spool.after(0, 10, wait_s=10))
    await asyncio.sleep(0.02)
    await spool.add(Request("id-1", "x", datetime(2024, 5, 6, tzinfo=UTC), "/", {}))
    assert len(await asyncio.wait_for(waiting, 2)) == 1
    await spool.close()
