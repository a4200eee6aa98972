"""Phones that answer in the middle of an outage, and how many of their answers were taken."""

from __future__ import annotations

from tests.chaos.campaign import PHONES, Scene
from tests.support.gather import carrier_ledger

# Asked before the outage, answered in its middle: 8 real seconds at 30 town seconds each.
SLOW_MS = 240_000
SLOW_PHONES = [{**phone, "sms": [{**rule, "after_ms": SLOW_MS} for rule in phone["sms"]]} for phone in PHONES]


def answers_taken(scene: Scene) -> int:
    """Return how many answers of phones the webhook door has taken."""
    ledger = carrier_ledger(scene.stack.urls["carrier"])
    return sum(row["kind"] == "answer_taken" and row["taken"] for row in ledger)
