"""The life of a call at the fake carrier."""

from __future__ import annotations

from tests.support.fake_twilio import Behaviour, CallManner, FakeCarrier
from tests.unit.fake_twilio.conftest import ANA, DOOR, Api, Door, Now

ASK = (
    '<Response><Gather numDigits="1" timeout="5" action="/pressed"><Say language="es-MX">Sube el rio.</Say>'
    '<Pause length="1"/><Say>Oprima 1.</Say></Gather><Redirect>/again</Redirect></Response>'
)
ALL = ["initiated", "ringing", "answered", "completed"]


def callbacks(door: Door) -> list[str]:
    return [fields["CallStatus"] for url, fields, _ in door.posts if url.endswith("/calls")]


async def test_silent_phone_rings_out(api: Api, carrier: FakeCarrier, door: Door, now: Now) -> None:
    """Nobody answers: no-answer after the call's timeout, not before."""
    await api.ring(StatusCallback=f"{DOOR}/calls", StatusCallbackEvent=ALL)
    await carrier.settle()
    now.pass_s(24)
    await carrier.settle()
    assert callbacks(door) == ["initiated", "ringing"]
    now.pass_s(1)
    await carrier.settle()
    assert callbacks(door) == ["initiated", "ringing", "no-answer"]


async def test_pressed_digit_reaches_the_action(api: Api, carrier: FakeCarrier, door: Door) -> None:
    """A person answers, hears the words and presses 1; the digit is posted to the Gather's action."""
    door.answers = {
        f"{DOOR}/voice": ASK,
        f"{DOOR}/pressed": "<Response><Say>Gracias.</Say><Hangup/></Response>",
    }
    answer = await api.ring(StatusCallback=f"{DOOR}/calls", StatusCallbackEvent=ALL)
    await carrier.settle()
    assert carrier.calling.answer(answer.json()["sid"], ["1"])
    await carrier.settle()
    pressed = [fields for url, fields, _ in door.posts if url.endswith("/pressed")]
    assert [fields["Digits"] for fields in pressed] == ["1"]
    heard = next(entry for entry in carrier.ledger.entries if entry["kind"] == "heard")
    assert heard["text"] == "Sube el rio. Oprima 1. Gracias."
    assert callbacks(door) == ["initiated", "ringing", "in-progress", "completed"]
    kinds = [entry["kind"] for entry in carrier.ledger.entries if entry["kind"].startswith("answer")]
    assert kinds == ["answer", "answer_taken"]


async def test_nothing_pressed_follows_the_redirect(api: Api, carrier: FakeCarrier, door: Door) -> None:
    """A person who presses nothing is taken to the next document and heard it all."""
    door.answers = {f"{DOOR}/voice": ASK, f"{DOOR}/again": "<Response><Say>Otra vez.</Say></Response>"}
    carrier.handsets.behave(".*", Behaviour(call=CallManner("human", after_ms=0)))
    await api.ring()
    await carrier.settle()
    heard = next(entry for entry in carrier.ledger.entries if entry["kind"] == "heard")
    assert (heard["text"], heard["pressed"]) == ("Sube el rio. Oprima 1. Otra vez.", [])


async def test_voicemail_presses_nothing(api: Api, carrier: FakeCarrier, door: Door) -> None:
    """A machine is told apart and never presses, whatever the rule says."""
    carrier.handsets.behave(".*", Behaviour(call=CallManner("machine", after_ms=0, press=("1",))))
    await api.ring(
        Url="",
        Twiml=ASK,
        MachineDetection="DetectMessageEnd",
        AsyncAmd="true",
        AsyncAmdStatusCallback=f"{DOOR}/amd",
    )
    await carrier.settle()
    amd = [fields["AnsweredBy"] for url, fields, _ in door.posts if url.endswith("/amd")]
    assert amd == ["machine_end_beep"]
    assert not any(entry["kind"] == "answer" for entry in carrier.ledger.entries)


async def test_busy_phone(api: Api, carrier: FakeCarrier, door: Door) -> None:
    """A busy phone ends the call at once; only the end is told when no events were asked for."""
    carrier.handsets.behave(".*", Behaviour(call=CallManner("busy", after_ms=0)))
    await api.ring(StatusCallback=f"{DOOR}/calls")
    await carrier.settle()
    assert callbacks(door) == ["busy"]


async def test_call_is_cancelled_before_it_is_answered(api: Api, carrier: FakeCarrier) -> None:
    """``Status=completed`` on a ringing call cancels it, and nobody can answer it any more."""
    sid = (await api.ring()).json()["sid"]
    await carrier.settle()
    changed = await api.post(f"/Calls/{sid}.json", {"Status": "completed"})
    assert (changed.status_code, changed.json()["status"]) == (200, "canceled")
    assert not carrier.calling.answer(sid)


async def test_inline_words_stand_in_the_ledger_at_once(api: Api, carrier: FakeCarrier) -> None:
    """With TwiML in the request the ledger knows the words before anybody answers."""
    await api.ring(Url="", Twiml=ASK)
    entry = carrier.ledger.entries[0]
    assert (entry["phone"], entry["channel"], entry["text"]) == (ANA, "voice", "Sube el rio. Oprima 1.")


async def test_broken_twiml_ends_the_call_and_shows(api: Api, carrier: FakeCarrier, door: Door) -> None:
    """TwiML that no carrier would play is written down, and the call ends."""
    door.answers[f"{DOOR}/voice"] = "<Response><Shout>hola</Shout></Response>"
    carrier.handsets.behave(".*", Behaviour(call=CallManner("human", after_ms=0)))
    sid = (await api.ring()).json()["sid"]
    await carrier.settle()
    broken = next(entry for entry in carrier.ledger.entries if entry["kind"] == "callback_refused")
    assert broken["reason"] == "Shout is not played here"
    assert (await api.get(f"/Calls/{sid}.json")).json()["status"] == "completed"


async def test_call_without_words_is_refused(api: Api) -> None:
    """A call needs Url or Twiml."""
    assert (await api.ring(Url="")).json()["code"] == 21205
