"""The town's clock of a watched night: who waits for whom."""

from __future__ import annotations

from municipio.pace import (
    DECIDING_RATE,
    NEARLY_RATE,
    QUIET_RATE,
    READING_RATE,
    RINGING_RATE,
    TIME_TO_READ_S,
    WAITING_RATE,
    WAITING_S,
    Attention,
)

ANA, NORTE = "+50370000001", "+50370000011"


def message(phone: str, text: str) -> dict[str, str]:
    return {"kind": "message", "phone": phone, "channel": "sms", "text": text}


def call(status: str) -> dict[str, str]:
    return {"kind": "status", "phone": ANA, "channel": "voice", "sid": "CA1", "status": status}


def answer(words: str, phone: str = ANA) -> dict[str, str]:
    return {"kind": "answer", "phone": phone, "channel": "sms", "words": words}


def asked() -> Attention:
    """Ana was rung and is asked for authority."""
    attention = Attention()
    for entry in (message(ANA, "Responda SI 1900 para enviarlo"), call("ringing"), call("no-answer")):
        attention.see(entry, 0)
    return attention


def test_until_the_first_call_the_clock_goes_briskly() -> None:
    """Two minutes of town time to the first call are a matter of seconds; the last of them go slowly."""
    attention = Attention()
    assert RINGING_RATE == attention.rate(0)
    attention.see(message(ANA, "Responda OK 1900 si lo vio"), 1)
    assert WAITING_RATE == attention.rate(2)
    assert NEARLY_RATE == attention.rate(2 + WAITING_S)


def test_a_ringing_phone_rings_as_long_as_in_life_and_a_talking_one_longer() -> None:
    """A person has to reach it, then to read along."""
    attention = asked()
    attention.see(call("ringing"), 1)
    assert RINGING_RATE == attention.rate(1)
    attention.see(call("in-progress"), 2)
    assert DECIDING_RATE == attention.rate(2)


def test_confirming_that_it_was_heard_does_not_hurry_the_decision() -> None:
    """Pressing 1 leaves the question of authority open; a code closes it for everybody."""
    attention = asked()
    attention.see(answer("1"), 5)
    assert DECIDING_RATE == attention.rate(6)
    attention.see(answer("SI 1900"), 7)
    assert QUIET_RATE == attention.rate(8)


def test_a_brigade_that_is_asked_has_time_to_read() -> None:
    """Until it answers, or long enough that nobody seems to sit there."""
    attention = asked()
    attention.see(answer("SI 1900"), 1)
    attention.see(message(NORTE, "Responda OK 8562 si van."), 2)
    assert READING_RATE == attention.rate(3)
    assert QUIET_RATE == attention.rate(3 + TIME_TO_READ_S)
    attention.see(answer("OK 8562", NORTE), 4)
    assert QUIET_RATE == attention.rate(5)
