"""What a carrier under a fault plan did, and whether the town knows how it ended."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import httpx

from tests.support.oracle.evidence import Delivery, words_in

Json = Mapping[str, Any]

# The states in which a message must be once its text or call ended so; an answer is a fact on top of it.
RIGHT: Mapping[str, frozenset[str]] = {
    "delivered": frozenset({"delivered", "answered"}),
    "completed": frozenset({"delivered", "answered"}),
    "undelivered": frozenset({"undelivered", "answered"}),
    "busy": frozenset({"undelivered", "answered"}),
    "no-answer": frozenset({"undelivered", "answered"}),
    "canceled": frozenset({"undelivered", "failed"}),
    "failed": frozenset({"failed"}),
}
REACHED = frozenset({"delivered", "completed"})
# What is known of a person is never taken back.
KNOWN = frozenset({"delivered", "answered"})


async def follow(carrier_url: str, plan: Json) -> None:
    """Have the fake carrier follow a fault plan."""
    async with httpx.AsyncClient(trust_env=False) as http:
        (await http.post(f"{carrier_url}/_control/faults", json=dict(plan))).raise_for_status()


async def faults_met(carrier_url: str) -> dict[str, int]:
    """Return how often each fault of the plan took effect."""
    async with httpx.AsyncClient(trust_env=False) as http:
        met: dict[str, int] = (await http.get(f"{carrier_url}/_control")).json()["faults_met"]
    return met


def most_copies(came: Iterable[Delivery]) -> int:
    """Return how often the most repeated message left the carrier, also to a phone that never got it."""
    return max(Counter(one.copies_of for one in came if one.via != "twiml").values(), default=0)


def ends(ledger: Iterable[Json], town: str) -> dict[str, tuple[str, datetime]]:
    """Return of each message of a town that has ended the word that counts, and since when.

    A message has ended when all its texts and calls have. Whatever became of its other attempts, one that
    arrived counts; else the newest does.
    """
    sids: dict[str, list[str]] = defaultdict(list)
    ended: dict[str, tuple[str, datetime]] = {}
    for entry in ledger:
        if entry["kind"] in {"message", "call"}:
            token, _ = words_in(entry.get("status_callback"))
            if token and token[0] == town:
                sids[token[1]].append(entry["sid"])
        elif entry["kind"] == "status" and entry["status"] in RIGHT:
            ended[entry["sid"]] = (entry["status"], datetime.fromisoformat(entry["at"]))
    return {
        message_id: _that_counts([ended[sid] for sid in of_it])
        for message_id, of_it in sids.items()
        if all(sid in ended for sid in of_it)
    }


def wrong(ended: Mapping[str, tuple[str, datetime]], messages: Iterable[Json]) -> dict[str, str]:
    """Return the messages that ended at the carrier otherwise than the town says, with a sentence each."""
    states = {row["message_id"]: row["state"] for row in messages}
    return {
        message_id: f"message {message_id} is {states.get(message_id)}, at the carrier {word}"
        for message_id, (word, _) in ended.items()
        if states.get(message_id) not in RIGHT[word]
    }


def taken_back(history: Iterable[tuple[str, str]]) -> list[str]:
    """Return a sentence on each message that left what was known of it; pairs of id and state, in order."""
    known: dict[str, str] = {}
    broken = []
    for message_id, state in history:
        before = known.get(message_id)
        if before is not None and state not in KNOWN:
            broken.append(f"message {message_id} went from {before} to {state}")
        if state in KNOWN:
            known[message_id] = state
    return broken


def _that_counts(ended: list[tuple[str, datetime]]) -> tuple[str, datetime]:
    return next((each for each in ended if each[0] in REACHED), ended[-1])
