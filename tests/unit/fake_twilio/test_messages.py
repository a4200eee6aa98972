"""The life of a text at the fake carrier."""

from __future__ import annotations

import pytest
from twilio.request_validator import RequestValidator

from tests.support.fake_twilio import Behaviour, FakeCarrier, FaultPlan, Reply
from tests.unit.fake_twilio.conftest import ANA, BETO, DOOR, SENDER, Api, Door, Now

SERVICE = "MG" + "a" * 32


async def test_text_passes_its_states_in_order(api: Api, carrier: FakeCarrier, door: Door, now: Now) -> None:
    """A text is queued, sending, sent and, after its time, delivered; each change is told."""
    answer = await api.text()
    assert (answer.status_code, answer.json()["status"]) == (201, "queued")
    await carrier.settle()
    assert door.statuses() == ["sending", "sent"]
    now.pass_s(1)
    await carrier.settle()
    assert door.statuses() == ["sending", "sent", "delivered"]
    shown = await api.get(f"/Messages/{answer.json()['sid']}.json")
    assert shown.json()["status"] == "delivered"


async def test_callback_is_signed_for_its_url(api: Api, carrier: FakeCarrier, door: Door) -> None:
    """The signature holds for the callback URL as given, query included, and not for another token."""
    await api.text()
    await carrier.settle()
    url, fields, signature = door.posts[0]
    assert url == f"{DOOR}/status?m=1"
    assert RequestValidator(carrier.settings.auth_token).validate(url, fields, signature)
    assert not RequestValidator("another").validate(url, fields, signature)


async def test_service_text_starts_as_accepted(api: Api, carrier: FakeCarrier) -> None:
    """With a Messaging Service the first status is ``accepted`` and the sender is chosen later."""
    answer = await api.text(From="", MessagingServiceSid=SERVICE)
    assert (answer.json()["status"], answer.json()["from"]) == ("accepted", None)
    await carrier.settle()
    shown = await api.get(f"/Messages/{answer.json()['sid']}.json")
    assert shown.json()["from"] == carrier.settings.number_of(SERVICE)


async def test_sender_sends_its_segments_per_second(
    api: Api, carrier: FakeCarrier, door: Door, now: Now
) -> None:
    """At 10 segments a second, 25 texts of one segment need more than 2 s."""
    for _ in range(25):
        await api.text()
    now.pass_s(1.95)
    await carrier.settle()
    assert door.statuses().count("sent") == 20
    now.pass_s(1)
    await carrier.settle()
    assert door.statuses().count("sent") == 25


async def test_text_dies_in_the_queue_after_its_validity(
    api: Api, carrier: FakeCarrier, door: Door, now: Now
) -> None:
    """A text whose turn comes after its validity is never sent: failed, 30036."""
    for _ in range(15):
        await api.text()
    answer = await api.text(ValidityPeriod="1")
    now.pass_s(5)
    await carrier.settle()
    shown = (await api.get(f"/Messages/{answer.json()['sid']}.json")).json()
    assert (shown["status"], shown["error_code"]) == ("failed", 30036)
    assert door.statuses().count("sent") == 15


async def test_full_queue_is_refused_or_failed(api: Api, carrier: FakeCarrier) -> None:
    """A direct sender's full queue is 21611 at once; a service takes the text and fails it with 30001."""
    carrier.faults.follow(FaultPlan(queue_limit_s=0.05))
    await api.text(body="x" * 400)
    refused = await api.text()
    assert (refused.status_code, refused.json()["code"]) == (400, 21611)
    await api.text(body="x" * 400, From="", MessagingServiceSid=SERVICE)
    late = await api.text(From="", MessagingServiceSid=SERVICE)
    await carrier.settle()
    shown = (await api.get(f"/Messages/{late.json()['sid']}.json")).json()
    assert (late.status_code, shown["status"], shown["error_code"]) == (201, "failed", 30001)


async def test_phone_that_is_off_is_unreachable(api: Api, carrier: FakeCarrier, door: Door, now: Now) -> None:
    """A phone that is switched off gives undelivered, 30003."""
    carrier.handsets.switch(ANA, on=False)
    await api.text()
    now.pass_s(1)
    await carrier.settle()
    now.pass_s(1)
    await carrier.settle()
    assert (door.posts[-1][1]["MessageStatus"], door.posts[-1][1]["ErrorCode"]) == ("undelivered", "30003")


async def test_number_suffix_gives_its_code(api: Api, carrier: FakeCarrier, door: Door, now: Now) -> None:
    """The longest suffix that fits the number decides the code."""
    carrier.faults.follow(FaultPlan(suffix_codes={"1": 30008, "001": 30006}))
    await api.text()
    for _ in range(2):
        await carrier.settle()
        now.pass_s(1)
    assert door.posts[-1][1]["ErrorCode"] == "30006"


async def test_rule_answers_with_the_code_of_the_text(
    api: Api, carrier: FakeCarrier, door: Door, now: Now
) -> None:
    """A rule takes the code out of the text and sends it back after its time, signed."""
    carrier.handsets.behave(r"\+503700000\d\d", Behaviour((Reply(r"SI (\d{4})", r"SI \1", after_ms=3000),)))
    await api.text()
    for _ in range(3):
        await carrier.settle()
        now.pass_s(1)
    assert all(not url.endswith("/in") for url, _, _ in door.posts)
    now.pass_s(2)
    await carrier.settle()
    url, fields, signature = door.posts[-1]
    assert (url, fields["Body"], fields["From"], fields["To"]) == (f"{DOOR}/in", "SI 4711", ANA, SENDER)
    assert RequestValidator(carrier.settings.auth_token).validate(url, fields, signature)
    answer, taken = carrier.ledger.entries[-2:]
    assert (answer["kind"], answer["words"]) == ("answer", "SI 4711")
    assert (taken["kind"], taken["taken"], taken["answer"]) == ("answer_taken", True, fields["MessageSid"])


async def test_reply_is_sent_until_the_door_takes_it(carrier: FakeCarrier, door: Door) -> None:
    """A dead door costs tries, not the reply; the ledger says how many."""
    door.fails = [None, 503, None]
    carrier.say(ANA, "SI 4711", to=SENDER)
    await carrier.settle()
    taken = carrier.ledger.entries[-1]
    assert (taken["taken"], taken["attempts"]) == (True, 4)
    assert len({fields["MessageSid"] for _, fields, _ in door.posts}) == 1


async def test_reply_that_nobody_takes_is_shown_as_lost(carrier: FakeCarrier, door: Door) -> None:
    """After the last try the ledger says that nobody took the reply."""
    door.fails = [None] * 5
    carrier.say(ANA, "SI 4711", to=SENDER)
    await carrier.settle()
    assert carrier.ledger.entries[-1]["taken"] is False


async def test_stop_blocks_later_texts(api: Api, carrier: FakeCarrier) -> None:
    """After STOP a text is refused with 21610, from that sender to that phone only; START undoes it."""
    carrier.say(ANA, "stop", to=SENDER)
    await carrier.settle()
    refused = await api.text()
    assert (refused.status_code, refused.json()["code"]) == (400, 21610)
    assert (await api.text(to=BETO)).status_code == 201
    carrier.say(ANA, "START", to=SENDER)
    await carrier.settle()
    assert (await api.text()).status_code == 201


async def test_stop_in_a_sentence_blocks_nothing(api: Api, carrier: FakeCarrier) -> None:
    """Only the word alone opts out."""
    carrier.say(ANA, "STOP PLEASE", to=SENDER)
    await carrier.settle()
    assert (await api.text()).status_code == 201


async def test_answering_twiml_is_sent_as_a_text(carrier: FakeCarrier, door: Door) -> None:
    """A ``<Message>`` in the webhook's answer reaches the phone and stands in the ledger."""
    door.answers[f"{DOOR}/in"] = "<Response><Message>No entendimos.</Message></Response>"
    carrier.say(ANA, "hola", to=SENDER)
    await carrier.settle()
    sent = [entry for entry in carrier.ledger.entries if entry["kind"] == "message"]
    assert [(entry["phone"], entry["text"], entry["via"]) for entry in sent] == [
        (ANA, "No entendimos.", "twiml")
    ]


async def test_list_filters_by_phone_and_day(api: Api, carrier: FakeCarrier, now: Now) -> None:
    """The list answers who got what since when, newest first, in pages."""
    first = await api.text(body="uno")
    now.pass_s(86_400)
    second = await api.text(body="dos")
    await api.text(to=BETO)
    rows = (await api.get("/Messages.json", To=ANA)).json()["messages"]
    assert [row["sid"] for row in rows] == [second.json()["sid"], first.json()["sid"]]
    since = (await api.get("/Messages.json", To=ANA, **{"DateSent>": "2026-11-02"})).json()["messages"]
    assert [row["body"] for row in since] == ["dos"]
    page = (await api.get("/Messages.json", To=ANA, PageSize="1")).json()
    following = await api.client.get(page["next_page_uri"], auth=api.auth)
    assert [row["body"] for row in following.json()["messages"]] == ["uno"]


async def test_stale_list_hides_the_newest(api: Api, carrier: FakeCarrier, now: Now) -> None:
    """With a stale list a text is found only after that time."""
    carrier.faults.follow(FaultPlan(list_stale_s=10))
    await api.text()
    assert (await api.get("/Messages.json", To=ANA)).json()["messages"] == []
    now.pass_s(10)
    assert len((await api.get("/Messages.json", To=ANA)).json()["messages"]) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"To": ""}, 21604, id="no To"),
        pytest.param({"To": "70000001"}, 21211, id="To without country"),
        pytest.param({"Body": ""}, 21602, id="no words"),
        pytest.param({"Body": "x" * 1601}, 21617, id="1601 signs"),
        pytest.param({"From": ""}, 21603, id="no sender"),
        pytest.param({"MessagingServiceSid": SERVICE}, 20001, id="two senders"),
        pytest.param({"From": "", "MessagingServiceSid": "MG1"}, 21701, id="service that is none"),
        pytest.param({"ValidityPeriod": "0"}, 20001, id="validity of nothing"),
        pytest.param({"ValidityPeriod": "36001"}, 20001, id="validity over ten hours"),
        pytest.param({"StatusCallback": "/status"}, 21609, id="relative callback"),
        pytest.param({"StatusCallBack": "http://door.test"}, 20001, id="misspelt parameter"),
    ],
)
async def test_bad_text_is_refused_in_twilio_shape(api: Api, change: dict[str, str], code: int) -> None:
    """Each refusal has code, message, more_info and status, and nothing is written down."""
    form = {"To": ANA, "From": SENDER, "Body": "x", **change}
    refused = await api.post("/Messages.json", {name: text for name, text in form.items() if text})
    assert refused.status_code == 400
    assert refused.json() | {"message": ""} == {
        "code": code,
        "message": "",
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": 400,
    }


async def test_wrong_credentials_are_refused(api: Api) -> None:
    """A wrong token is 401, 20003."""
    api.auth = (api.auth[0], "wrong")
    refused = await api.text()
    assert (refused.status_code, refused.json()["code"]) == (401, 20003)
