"""Real seconds for technical waits. Town time says when a message is too late, never when to try again.

Retry after a 429, a lease, the wait for a callback and the next poll are about machines: they must pass
also where the town's clock stands still or jumps. So ``lease_until`` and ``next_attempt_at`` are kept in
this time, every other moment of a message (``expires_at`` and what is shown) in the town's.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from services.runtime.clock import Clock, DatabaseClock


class SteadyClock:
    """The machine's time at the start, carried on by the monotonic clock, which knows no steps."""

    generation = 0

    def __init__(self) -> None:
        self._anchor = datetime.now(UTC)
        self._anchored_s = time.monotonic()

    def now(self) -> datetime:
        return self._anchor + timedelta(seconds=time.monotonic() - self._anchored_s)


def real_clock(clock: Clock) -> Clock:
    """Return the clock of technical waits: the database's where replicas share one, else this machine's."""
    return clock if isinstance(clock, DatabaseClock) else SteadyClock()
