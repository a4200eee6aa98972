"""The page of phones: calls that somebody takes, and the ledger as a stream."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

from tests.support.fake_twilio import FakeCarrier, HandClock
from tests.support.fake_twilio.page import FOLDER
from tests.support.fake_twilio.town import Admin, TownView
from tests.unit.fake_twilio.conftest import ANA, DOOR, Api, Door, Now
from tests.unit.fake_twilio.test_calls import ASK

LARGEST_PAGE_BYTES = 150_000


async def ringing(api: Api, carrier: FakeCarrier, door: Door) -> str:
    thanks = "<Response><Say>Gracias.</Say><Hangup/></Response>"
    door.answers = {f"{DOOR}/voice": ASK, f"{DOOR}/pressed": thanks}
    answer = await api.ring()
    await carrier.settle()
    return str(answer.json()["sid"])


async def test_a_key_pressed_in_a_call_reaches_its_action(api: Api, carrier: FakeCarrier, door: Door) -> None:
    """Somebody takes the call, hears its words and presses 1 while it talks."""
    sid = await ringing(api, carrier, door)
    assert (True, False) == (carrier.calling.pick_up(sid), carrier.calling.pick_up(sid))
    assert carrier.calling.press(sid, "1")
    await carrier.settle()
    pressed = [fields["Digits"] for url, fields, _ in door.posts if url.endswith("/pressed")]
    said = [entry["text"] for entry in carrier.ledger.entries if entry["kind"] == "said"]
    assert (["1"], "Gracias.") == (pressed, said[-1])
    assert not carrier.calling.press(sid, "1")


async def test_who_is_rung_may_decline(api: Api, carrier: FakeCarrier, door: Door) -> None:
    """Declining is busy to the caller, and nothing is left to end."""
    sid = await ringing(api, carrier, door)
    assert (True, False) == (await carrier.calling.hang_up(sid), await carrier.calling.hang_up(sid))
    assert "busy" == carrier.calling.by_sid[sid].status


async def test_a_deed_that_is_none_is_refused(api: Api, carrier: FakeCarrier, door: Door) -> None:
    """Unknown deeds and keys get one sentence; a call that is over gets 409."""
    sid = await ringing(api, carrier, door)
    carrier.calling.pick_up(sid)
    wanted = [({"do": "shout"}, 422), ({"do": "press", "keys": "x"}, 422), ({"do": "hang_up"}, 202)]
    for told, status in [*wanted, ({"do": "hang_up"}, 409)]:
        assert status == (await api.client.post("/_control/call", json={"call": sid, **told})).status_code


async def test_a_phone_switched_off_stays_off_over_a_restart(tmp_path: Path, now: Now, door: Door) -> None:
    """The ledger says so, and the next process reads it."""
    ledger = tmp_path / "ledger"
    first = FakeCarrier(clock=HandClock(now), poster=door, ledger=ledger)
    first.switch(ANA, on=False)
    await first.close()
    second = FakeCarrier(clock=HandClock(now), poster=door, ledger=ledger)
    assert not second.handsets.of(ANA).on
    await second.close()


async def test_the_stream_resumes_where_it_broke(carrier: FakeCarrier) -> None:
    """Each entry comes once over two connections; callback addresses never."""
    carrier.ledger.add("message", sid="SM1", phone=ANA, channel="sms", text="uno", status_callback="http://x")
    carrier.ledger.add("message", sid="SM2", phone=ANA, channel="sms", text="dos")
    async with carrier.serving() as url:
        number, first = await next_entries(url, {})
        carrier.ledger.add("message", sid="SM3", phone=ANA, channel="sms", text="tres")
        _, second = await next_entries(url, {"Last-Event-ID": number})
    assert (["uno", "dos"], ["tres"]) == ([each["text"] for each in first], [each["text"] for each in second])
    assert "status_callback" not in first[0]


async def test_a_stream_that_knows_more_than_the_ledger_starts_again(carrier: FakeCarrier) -> None:
    """After a restart with a new ledger the page is told to forget."""
    carrier.ledger.add("message", sid="SM1", phone=ANA, channel="sms", text="uno")
    async with carrier.serving() as url:
        events = [name async for name, _, _ in told(url, {"Last-Event-ID": "900"}, most=2)]
    assert ["reset", "entries"] == events


async def test_the_page_asks_nothing_of_others_and_is_light(api: Api) -> None:
    """All it needs comes from here, in less than 150 kB; what is not a file of it is not found."""
    page = await api.client.get("/phones")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http" not in page.text
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < LARGEST_PAGE_BYTES
    for name, status in (("phones.js", 200), ("..%2Fcarrier.py", 404), ("carrier.py", 404)):
        assert status == (await api.client.get(f"/_page/{name}")).status_code


async def test_a_town_never_heard_of_is_unknown(carrier: FakeCarrier, api: Api) -> None:
    """Without triage there is no level: neither 0 nor normal."""
    said = (await api.client.get("/_town")).json()
    assert (None, [], []) == (said["age_s"], said["gauges"], said["incidents"])


def test_the_token_is_not_shown(now: Now) -> None:
    """Neither by the door's answer nor by what a log would print of it."""
    admin = Admin("http://127.0.0.1:1", "a-secret-token")
    view = TownView(HandClock(now), None, admin)
    assert "a-secret" not in repr(admin) + json.dumps(view.now())


async def next_entries(url: str, headers: dict[str, str]) -> tuple[str, list[dict[str, Any]]]:
    async for name, number, data in told(url, headers):
        if name == "entries":
            return number, data
    raise AssertionError


async def told(url: str, headers: dict[str, str], most: int = 10) -> AsyncIterator[tuple[str, str, Any]]:
    """Yield name, number and data of the first events of the stream."""
    async with (
        httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as http,
        http.stream("GET", "/_events", headers=headers) as answer,
    ):
        event: dict[str, str] = {}
        count = 0
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if line:
                event[name] = value
                continue
            if "event" in event:
                count += 1
                yield event["event"], event.get("id", ""), json.loads(event["data"])
            event = {}
            if count == most:
                return
