"""Which keys wait after a failed publication, and for how long."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

HOLD_S = 0.25
HOLD_S_MAX = 30.0
SUSPECTS_A_ROUND = 8


@dataclass(slots=True)
class _Held:
    until_s: float
    wait_s: float
    is_suspect: bool


class HoldBack:
    """Keys held back with growing waits.

    A *suspect* may be the key whose record the broker refuses, so it is tried alone: an innocent
    neighbour refused in the same producer batch then passes at its next try.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._held: dict[str, _Held] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, hold: str) -> bool:
        return hold in self._held

    def closed(self) -> frozenset[str]:
        """Return the keys that must not be tried in this round."""
        now_s = self._monotonic()
        waiting = {hold for hold, held in self._held.items() if held.until_s > now_s}
        suspects = [hold for hold in self._held if hold not in waiting and self.is_suspect(hold)]
        return frozenset(waiting.union(suspects[SUSPECTS_A_ROUND:]))

    def is_suspect(self, hold: str) -> bool:
        return hold in self._held and self._held[hold].is_suspect

    def failed(self, hold: str, *, is_suspect: bool) -> None:
        """Make a key wait, twice as long as the last time."""
        before = self._held.pop(hold, None)
        wait_s = min(before.wait_s * 2, HOLD_S_MAX) if before else HOLD_S
        self._held[hold] = _Held(self._monotonic() + wait_s, wait_s, is_suspect)

    def passed(self, hold: str) -> None:
        self._held.pop(hold, None)
