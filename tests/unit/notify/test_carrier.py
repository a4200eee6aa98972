"""What each way of failing at the carrier means: certain, safe to repeat, or unknown."""

import socket
from datetime import UTC, datetime, timedelta

import pytest

from schemas.vocabulary import Channel, Purpose
from services.notify.outbound import callback_token
from services.notify.outbound.callback_token import Subject
from services.notify.outbound.carrier import (
    Accepted,
    NotSent,
    Order,
    Outcome,
    Refused,
    Throttled,
    TwilioCarrier,
    Unknown,
)
from services.notify.outbound.twilio_http import BoundedTwilioHttp, Reach, is_loopback
from tests.unit.notify.carrier_stub import Stub, hangs, resets, says

SID = "SM" + "0" * 32
PHONE = "+50370000001"


def order(channel: Channel = Channel.SMS, to: str = PHONE) -> Order:
    subject = Subject("ejemplo", "m-1", 1, channel, Purpose.PAGE)
    return Order(subject, to, "+50370009999", "Rio Claro 3.02 m. Responda SI 4711", 600)


def carrier(base: str, *, total_s: float = 2.0, production: bool = False) -> TwilioCarrier:
    reach = Reach(production=production, base=base, allow_numbers=frozenset())
    http = BoundedTwilioHttp(reach, base=base, total_s=total_s, connect_s=0.5)
    return TwilioCarrier("AC" + "0" * 32, "token", http, "https://door.example/")


async def outcome_of(stub: Stub, **more: float) -> Outcome:
    async with stub:
        ours = carrier(stub.base, **more)
        try:
            return await ours.send(order())
        finally:
            await ours.close()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(says(201, {"sid": SID, "status": "queued"}), Accepted(SID), id="accepted"),
        pytest.param(
            says(400, {"code": 21211, "message": "no"}), Refused(21211, 400, "HTTP 400"), id="refused"
        ),
        pytest.param(says(401, "no"), Refused(None, 401, "HTTP 401"), id="refused without a code"),
        pytest.param(says(429, {"code": 20429}, Retry_After="7"), Throttled(7.0), id="throttled"),
        pytest.param(says(429, "slow down"), Throttled(None), id="throttled, no Retry-After"),
        pytest.param(says(429, "", Retry_After="Wed, 21 Oct"), Throttled(None), id="Retry-After as a date"),
        pytest.param(says(500, {"code": 20500}), Unknown("HTTP 500"), id="500 may have sent"),
        pytest.param(says(503, "<html>"), Unknown("HTTP 503"), id="503 that is no JSON"),
        pytest.param(says(201, "<html>"), Unknown("unreadable answer: JSONDecodeError"), id="201 no JSON"),
        pytest.param(says(201, {}), Unknown("an answer without a sid"), id="201 without a sid"),
        pytest.param(says(302, "", Location="http://127.0.0.1:1/"), Unknown("HTTP 302"), id="redirect"),
        pytest.param(resets(), Unknown("ServerDisconnectedError"), id="reset after the request"),
    ],
)
async def test_outcome(answer, expected):
    assert expected == await outcome_of(Stub(answer))


async def test_a_hanging_carrier_is_given_up_after_the_total_time():
    """The SDK's own client waits for ever; the outcome is unknown, and nothing is sent twice."""
    stub = Stub(hangs())
    assert isinstance(await outcome_of(stub, total_s=0.2), Unknown)
    assert len(stub.asked) == 1


async def test_a_500_is_asked_once():
    stub = Stub(says(500, ""))
    await outcome_of(stub)
    assert len(stub.asked) == 1


async def test_nobody_listening_means_nothing_was_sent():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{free.getsockname()[1]}"
    ours = carrier(base)
    assert isinstance(await ours.send(order()), NotSent)
    await ours.close()


async def test_a_text_carries_expiry_and_our_own_name_for_it():
    stub = Stub(says(201, {"sid": SID}))
    await outcome_of(stub)
    [(method, path, form)] = stub.asked
    assert method == "POST"
    assert path.endswith("/Messages.json")
    assert form["ValidityPeriod"] == ["600"]
    [callback] = form["StatusCallback"]
    url, _, token = callback.removesuffix("#rc=3&rp=all").partition("?m=")
    assert url == "https://door.example/twilio/message-status"
    assert callback_token.read(token, ["token"]) == order().subject


async def test_a_call_says_it_twice_and_waits_for_a_digit():
    stub = Stub(says(201, {"sid": "CA" + "0" * 32}))
    async with stub:
        ours = carrier(stub.base)
        assert isinstance(await ours.send(order(Channel.VOICE)), Accepted)
        await ours.close()
    [(_, path, form)] = stub.asked
    assert path.endswith("/Calls.json")
    assert form["Twiml"][0].count("<Gather") == 2
    assert 'language="es-MX"' in form["Twiml"][0]
    assert form["MachineDetection"] == ["DetectMessageEnd"]
    assert form["StatusCallbackEvent"] == ["initiated", "ringing", "answered", "completed"]


async def test_the_list_is_filtered_by_time_here():
    """A queued text has no DateSent, so the carrier's own filter would hide what we look for."""
    page = {
        "messages": [
            {"sid": "SM1", "status": "sent", "body": "b", "date_created": "Mon, 06 May 2024 10:00:00 +0000"},
            {"sid": "SM0", "status": "sent", "body": "b", "date_created": "Mon, 06 May 2024 09:00:00 +0000"},
        ],
        "next_page_uri": None,
    }
    async with Stub(says(200, page)) as stub:
        ours = carrier(stub.base)
        since = datetime(2024, 5, 6, 10, 0, tzinfo=UTC) - timedelta(seconds=30)
        found = await ours.sent_to(Channel.SMS, PHONE, "+50370009999", since)
        await ours.close()
    assert found is not None
    assert [each.sid for each in found] == ["SM1"]
    assert "To=%2B50370000001" in stub.asked[0][1]


async def test_the_list_is_read_until_it_is_too_old():
    """Ours may lie below hundreds of newer texts to the same phone; an old one ends the search."""

    def page(count, hour, following):
        created = f"Mon, 06 May 2024 {hour}:00:00 +0000"
        rows = [
            {"sid": f"SM{n}", "status": "sent", "body": "b", "date_created": created} for n in range(count)
        ]
        return {"messages": rows, "next_page_uri": following}

    async with Stub(
        says(200, page(100, 12, "/2010-04-01/2")), says(200, page(3, 9, "/2010-04-01/3"))
    ) as stub:
        ours = carrier(stub.base)
        since = datetime(2024, 5, 6, 11, 0, tzinfo=UTC)
        found = await ours.sent_to(Channel.SMS, PHONE, "+50370009999", since)
        await ours.close()
    assert found is not None
    assert (len(found), len(stub.asked)) == (100, 2)


async def test_a_list_that_does_not_answer_is_not_an_empty_list():
    async with Stub(says(500, "")) as stub:
        ours = carrier(stub.base)
        assert (
            await ours.sent_to(Channel.SMS, PHONE, "+50370009999", datetime(2024, 5, 6, tzinfo=UTC)) is None
        )
        assert await ours.look_up(Channel.SMS, SID) is None
        await ours.close()


@pytest.mark.parametrize(
    ("production", "base", "allowed", "number", "may"),
    [
        pytest.param(False, "http://127.0.0.1:8090", (), PHONE, True, id="fake carrier"),
        pytest.param(False, "http://[::1]:8090", (), PHONE, True, id="fake carrier, IPv6"),
        pytest.param(False, None, (), PHONE, False, id="true carrier, number not listed"),
        pytest.param(False, None, (PHONE,), PHONE, True, id="true carrier, listed"),
        pytest.param(False, "http://127.0.0.1.example.com", (), PHONE, False, id="a name that looks local"),
        pytest.param(False, "https://api.twilio.com", (), PHONE, False, id="true carrier as base"),
        pytest.param(True, None, (), PHONE, True, id="production"),
        pytest.param(False, None, (), "", False, id="a form without a number"),
    ],
)
def test_reach(production, base, allowed, number, may):
    """Outside production only the fake carrier and listed numbers can be reached, whatever else is set."""
    assert may == Reach(production=production, base=base, allow_numbers=frozenset(allowed)).permits(number)


async def test_the_gate_stands_before_the_connection():
    """A forgotten production account in a development machine's environment rings nobody."""
    http = BoundedTwilioHttp(Reach(production=False, base=None, allow_numbers=frozenset()))
    ours = TwilioCarrier("AC" + "0" * 32, "token", http, "https://door.example")
    outcome = await ours.send(order())
    await ours.close()
    assert isinstance(outcome, Refused)
    assert "outside production" in outcome.reason


def test_loopback_is_an_address_or_localhost():
    assert is_loopback("http://localhost:1")
    assert not is_loopback("http://example.org")
    assert not is_loopback("nonsense")


def test_an_order_does_not_show_number_or_words():
    assert PHONE not in repr(order())
    assert "Claro" not in repr(order())


@pytest.mark.parametrize("token", ["", "a", "a.b", "é.b", "a.b.c", "x" * 600 + ".y"])
def test_a_broken_token_is_refused(token):
    with pytest.raises(callback_token.TokenError):
        callback_token.read(token, ["token"])


def test_a_token_is_read_with_the_previous_key_and_not_with_another():
    token = callback_token.sign(order().subject, "old")
    assert callback_token.read(token, ["new", "old"]) == order().subject
    with pytest.raises(callback_token.TokenError):
        callback_token.read(token, ["new"])
