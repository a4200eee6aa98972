"""How messages ended at the carrier, and what the town may say of them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.chaos.carrying import ends, most_copies, taken_back, wrong
from tests.support.oracle.evidence import Delivery


def text(sid: str, message_id: str, town: str = "caos") -> dict[str, Any]:
    token = base64.urlsafe_b64encode(f"{town}\n{message_id}\n1".encode()).decode().rstrip("=")
    return {"kind": "message", "sid": sid, "status_callback": f"http://door/status?t={token}.signature"}


def status(sid: str, word: str, second: int) -> dict[str, Any]:
    return {"kind": "status", "sid": sid, "status": word, "at": f"2026-05-05T08:00:{second:02d}+00:00"}


def delivery(sid: str, text_: str, via: str = "api") -> Delivery:
    return Delivery(sid, "+50370000100", "sms", text_, via, None)


def test_a_message_has_ended_when_all_its_texts_have() -> None:
    """One of two copies is still under way: nobody can say yet. A neighbour's messages are not ours."""
    ledger = [text("SM1", "m-1"), text("SM2", "m-1"), text("SM3", "m-2"), text("SM4", "m-3", town="vecina")]
    ledger += [status("SM1", "undelivered", 1), status("SM2", "sent", 2), status("SM3", "delivered", 3)]
    ledger += [status("SM4", "delivered", 4)]
    assert {name: word for name, (word, _) in ends(ledger, "caos").items()} == {"m-2": "delivered"}


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [
        pytest.param("delivered", "undelivered", "delivered", id="one arrived"),
        pytest.param("failed", "undelivered", "undelivered", id="none arrived: the newest counts"),
    ],
)
def test_of_two_copies_the_one_that_arrived_counts(first: str, second: str, counts: str) -> None:
    """Somebody who has a text has it, whatever became of its copy."""
    ledger = [text("SM1", "m-1"), text("SM2", "m-1"), status("SM1", first, 1), status("SM2", second, 2)]
    assert ends(ledger, "caos")["m-1"][0] == counts


@pytest.mark.parametrize(
    ("word", "state", "is_wrong"),
    [
        pytest.param("delivered", "delivered", False, id="known"),
        pytest.param("delivered", "answered", False, id="more is known"),
        pytest.param("delivered", "sent", True, id="not yet known"),
        pytest.param("undelivered", "delivered", True, id="believed to have arrived"),
        pytest.param("failed", "undelivered", True, id="another end"),
        pytest.param("completed", "delivered", False, id="a call"),
    ],
)
def test_what_the_town_says_is_held_against_the_carrier(word: str, state: str, is_wrong: bool) -> None:
    """A message whose end is not known, or known otherwise, is wrong."""
    ended = ends([text("SM1", "m-1"), status("SM1", word, 1)], "caos")
    assert bool(wrong(ended, [{"message_id": "m-1", "state": state}])) is is_wrong


def test_a_message_that_nobody_knows_is_wrong() -> None:
    """The carrier sent what the town has never heard of."""
    assert list(wrong(ends([text("SM1", "m-1"), status("SM1", "delivered", 1)], "caos"), [])) == ["m-1"]


def test_delivered_is_never_taken_back() -> None:
    """From delivered only an answer leads further."""
    good = [("m-1", "sent"), ("m-1", "delivered"), ("m-2", "sent"), ("m-1", "answered")]
    assert taken_back(good) == []
    assert taken_back([*good, ("m-1", "sent")]) == ["message m-1 went from answered to sent"]


def test_copies_are_counted_by_what_they_say_to_whom() -> None:
    """Two texts of the same words to one phone are two copies; a carrier's own answer is none."""
    came = [delivery("SM1", "Evacue"), delivery("SM2", "Evacue"), delivery("SM3", "Evacue", via="twiml")]
    assert most_copies(came) == 2
    assert most_copies([]) == 0
