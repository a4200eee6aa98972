"""The ledger, what survives a kill, and the doors for tests."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.fake_twilio import CarrierSettings, FakeCarrier, HandClock
from tests.support.fake_twilio.checks import call_order
from tests.support.fake_twilio.ledger import Ledger
from tests.unit.fake_twilio.conftest import ANA, BETO, SENDER, Api, Door, Now


async def test_ledger_counts_the_same_text_to_the_same_phone(api: Api) -> None:
    """The n-th copy of a text to a phone says so."""
    await api.text(body="uno")
    await api.text(body="uno")
    await api.text(to=BETO, body="uno")
    items = (await api.client.get("/_ledger")).json()["items"]
    assert [(row["phone"], row["times"]) for row in items] == [(ANA, 1), (ANA, 2), (BETO, 1)]
    phones = (await api.client.get("/_ledger/phones")).json()["items"]
    assert [(row["phone"], row["times"]) for row in phones] == [(ANA, 2), (BETO, 1)]


async def test_ledger_is_read_in_steps(api: Api) -> None:
    """``after`` and ``limit`` read on from where the last answer ended."""
    for body in "abc":
        await api.text(body=body)
    first = (await api.client.get("/_ledger", params={"limit": 2})).json()
    rest = (await api.client.get("/_ledger", params={"after": first["next"]})).json()
    assert [row["text"] for row in first["items"] + rest["items"]] == ["a", "b", "c"]


async def test_deleted_ledger_is_empty_and_goes_on(api: Api) -> None:
    """After DELETE the list is empty and numbers go on rising."""
    await api.text()
    assert (await api.client.delete("/_ledger")).status_code == 204
    await api.text(body="nuevo")
    items = (await api.client.get("/_ledger", params={"after": 1})).json()["items"]
    assert [(row["text"], row["times"]) for row in items] == [("nuevo", 1)]


async def test_killed_carrier_takes_up_its_ledger(tmp_path: Path, now: Now, door: Door) -> None:
    """A carrier started on the file of a killed one knows its texts and ends what was under way."""
    path = tmp_path / "ledger.ndjson"
    import httpx

    first = FakeCarrier(CarrierSettings(), clock=HandClock(now), poster=door, ledger=path)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(first.app), base_url="http://c.test"
    ) as client:
        sid = (await Api(client, first).text()).json()["sid"]
    with path.open("a") as file:
        file.write('{"seq": 2, "ki')  # killed in the middle of a line
    second = FakeCarrier(CarrierSettings(), clock=HandClock(now), poster=door, ledger=path)
    now.pass_s(1)
    await second.settle()
    now.pass_s(1)
    await second.settle()
    assert door.statuses() == ["sending", "sent", "delivered"]
    assert second.texting.by_sid[sid].status == "delivered"
    third = Ledger(path)
    assert [entry["seq"] for entry in third.entries] == [1, 2, 3, 4]


async def test_control_sets_phones_and_faults(api: Api, carrier: FakeCarrier) -> None:
    """Rules and plans come in over HTTP, are shown, and are dropped together."""
    rule = {"pattern": r"\+5037.*", "sms": [{"match": "SI", "answer": "SI"}], "call": {"press": "1"}}
    assert (await api.client.post("/_control/phones", json=rule)).status_code == 204
    assert (await api.client.post("/_control/faults", json={"busy_share": 1})).status_code == 204
    assert carrier.handsets.of(ANA).call.press == ("1",)
    assert (await api.text()).status_code == 429
    await api.client.delete("/_control")
    shown = (await api.client.get("/_control")).json()
    assert (shown["phones"], shown["faults"]["busy_share"]) == ([], 0.0)


async def test_control_says_what_it_does_not_understand(api: Api) -> None:
    """Nonsense is 422 with one sentence."""
    for path, body in [
        ("/_control/phones", {"pattern": "("}),
        ("/_control/phones", {"pattern": ".*", "sns": []}),
        ("/_control/faults", {"x": 1}),
        ("/_control/say", {"phone": "+1"}),
    ]:
        refused = await api.client.post(path, content=json.dumps(body))
        assert refused.status_code == 422
        assert refused.json()["detail"]


async def test_phone_list_shows_who_rings(api: Api, carrier: FakeCarrier) -> None:
    """The list of phones shows the last text and whether one rings."""
    await api.text(body="hola")
    sid = (await api.ring()).json()["sid"]
    await carrier.settle()
    (row,) = (await api.client.get("/phones.json")).json()["items"]
    assert (row["phone"], row["messages"], row["calls"], row["ringing"]) == (ANA, 1, 1, sid)
    answered = await api.client.post("/_control/answer", json={"call": sid, "press": "1"})
    assert answered.status_code == 202


async def test_say_goes_to_the_last_writer(api: Api, carrier: FakeCarrier, door: Door) -> None:
    """A phone that says something without a number answers who wrote last."""
    await api.text()
    told = await api.client.post("/_control/say", json={"phone": ANA, "words": "SI 47"})
    await carrier.settle()
    assert told.status_code == 202
    assert [fields["To"] for url, fields, _ in door.posts if url.endswith("/in")] == [SENDER]


async def test_reply_under_way_survives_a_kill(tmp_path: Path, now: Now, door: Door) -> None:
    """A reply that no door had taken when the carrier was killed is handed in by its successor, once."""
    path = tmp_path / "ledger.ndjson"
    settings = CarrierSettings(message_in="http://door.test/in", answer_attempts=1)
    first = FakeCarrier(settings, clock=HandClock(now), poster=door, ledger=path)
    first.ledger.add("answer", answer="SM1", phone=ANA, channel="sms", words="SI 47", to=SENDER, to_sid=None)
    second = FakeCarrier(settings, clock=HandClock(now), poster=door, ledger=path)
    await second.settle()
    third = FakeCarrier(settings, clock=HandClock(now), poster=door, ledger=path)
    await third.settle()
    assert [(fields["MessageSid"], fields["Body"]) for _, fields, _ in door.posts] == [("SM1", "SI 47")]


async def test_call_under_way_has_failed_after_a_kill(tmp_path: Path, now: Now, door: Door) -> None:
    """A call that rang when the carrier was killed has failed, is told so, and can be looked up."""
    path = tmp_path / "ledger.ndjson"
    form = {
        "To": [ANA],
        "From": [SENDER],
        "Url": ["http://door.test/v"],
        "StatusCallback": ["http://door.test/s"],
    }
    first = FakeCarrier(CarrierSettings(), clock=HandClock(now), poster=door, ledger=path)
    sid = first.calling.accept(call_order(form)).sid
    await first.settle()
    second = FakeCarrier(CarrierSettings(), clock=HandClock(now), poster=door, ledger=path)
    await second.settle()
    assert second.calling.by_sid[sid].status == "failed"
    assert [fields["CallStatus"] for _, fields, _ in door.posts] == ["failed"]
