"""How fast one sender may send, and when it must hold back. Real seconds throughout."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from aiolimiter import AsyncLimiter

from services.notify.domain.carrier_codes import Action, remedy
from services.notify.domain.delivery import pause_s
from services.notify.outbound.carrier import NotSent, Outcome, Refused, Throttled, Unknown
from services.notify.outbound.outcomes import SENDER_REST_S

# Slightly under the contract: what the carrier queues it does not send in our order.
UNDER_CONTRACT = 0.95
BURST_S = 1.0
MOST_REST_S = 8.0
UNKNOWNS_IN_A_ROW = 5


class Pace:
    """A token bucket in segments, and a pause after the carrier asked for one or stopped answering.

    The bucket holds one second's worth, so never more than that waits in the carrier's own queue, where a
    page could not overtake. After a pause one message goes alone; its fate decides about the next pause.

    Args:
        per_s: Segments (calls: one each) that the contract allows per second.
        jitter: A number in [0, 1), new each time.
    """

    def __init__(self, per_s: float, jitter: Callable[[], float] = random.random) -> None:
        rate = per_s * UNDER_CONTRACT
        self._burst = max(1.0, rate * BURST_S)
        self._bucket = AsyncLimiter(self._burst, self._burst / rate)
        self._per_s = rate
        self._jitter = jitter
        self._resting_until_s = 0.0
        self._troubles = 0
        self._unknowns = 0
        self.why = ""

    @property
    def is_probing(self) -> bool:
        """Whether the next message goes alone, because the last ones came to nothing."""
        return self._troubles > 0

    def batch(self, free: int) -> int:
        """Return how many messages to claim at once: a quarter of a second's worth, no page waits longer."""
        return 1 if self.is_probing else max(1, min(free, int(self._per_s / 4)))

    async def rested(self) -> None:
        """Wait until the sender may send again."""
        left_s = self._resting_until_s - asyncio.get_running_loop().time()
        if left_s > 0:
            await asyncio.sleep(left_s)

    async def take(self, segments: float) -> None:
        """Wait for that much room at the carrier."""
        while segments > 0:
            part = min(segments, self._burst)
            await self._bucket.acquire(part)
            segments -= part

    def hear(self, outcome: Outcome) -> None:
        """Draw the consequence of one answer for the messages that follow."""
        match outcome:
            case Throttled(retry_after_s):
                self._trouble("throttled", retry_after_s)
            case NotSent(reason):
                self._trouble(f"no connection: {reason}", None)
            case Refused(code, status) if remedy(code, status).action is Action.STOP_SENDER:
                self._trouble(f"sender or credentials refused: {code or status}", SENDER_REST_S)
            case Unknown(reason):
                self._unknowns += 1
                if self._unknowns >= UNKNOWNS_IN_A_ROW:
                    self._trouble(f"no clear answer: {reason}", None)
            case _:
                self._troubles, self._unknowns, self.why = 0, 0, ""

    def _trouble(self, why: str, rest_s: float | None) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s < self._resting_until_s:
            return  # One of several in flight that met the same trouble.
        self._troubles += 1
        if rest_s is None:
            rest_s = pause_s(self._troubles, self._jitter(), base_s=0.5, most_s=MOST_REST_S)
        self._resting_until_s = now_s + rest_s
        self.why = why
