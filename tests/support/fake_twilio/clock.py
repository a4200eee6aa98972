"""The carrier's clock: real, moved by hand in stories, or following the town's clock file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

POLL_S = 0.05


class Clock(Protocol):
    """Seconds for delays and queues, wall time for what callers see."""

    def elapsed_s(self) -> float:
        """Return seconds since the start; never goes back."""

    def wall(self) -> datetime:
        """Return the time that stands in resources and list filters."""

    def real_wait_s(self, due_s: float) -> float | None:
        """Return how long to sleep before looking again; ``None``: somebody steps the clock by hand."""


class RealClock:
    def __init__(self) -> None:
        self._start = time.monotonic()

    def elapsed_s(self) -> float:
        return time.monotonic() - self._start

    def wall(self) -> datetime:
        return datetime.now(UTC)

    def real_wait_s(self, due_s: float) -> float | None:
        return max(0.0, due_s - self.elapsed_s())


class HandClock:
    """Reads ``now``, which a story moves. Nothing happens until ``FakeCarrier.settle`` is awaited."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._last = now()
        self._elapsed_s = 0.0

    def elapsed_s(self) -> float:
        now = self._now()
        # A replay sets the town back to last year: that is no reason to wait a year.
        self._elapsed_s += max(0.0, (now - self._last).total_seconds())
        self._last = now
        return self._elapsed_s

    def wall(self) -> datetime:
        return self._now().astimezone(UTC)

    def real_wait_s(self, due_s: float) -> float | None:
        return None


class TownFileClock:
    """Follows the town clock's file (``base_town``, ``base_real``, ``rate``): delays run at the town's rate.

    Resources show real time all the same, as a carrier knows nothing of towns.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._town = self._real = datetime.now(UTC)
        self._rate = 1.0
        self._last = self._now()
        self._elapsed_s = 0.0

    def elapsed_s(self) -> float:
        now = self._now()
        self._elapsed_s += max(0.0, (now - self._last).total_seconds())
        self._last = now
        return self._elapsed_s

    def wall(self) -> datetime:
        return datetime.now(UTC)

    def town(self) -> datetime:
        return self._now()

    @property
    def rate(self) -> float:
        """Town seconds a real second, as last read."""
        return self._rate

    def real_wait_s(self, due_s: float) -> float | None:
        left_s = due_s - self.elapsed_s()
        if left_s <= 0:
            return 0.0
        return min(POLL_S, left_s / self._rate) if self._rate > 0 else POLL_S

    def _now(self) -> datetime:
        self._read()
        return self._town + (datetime.now(UTC) - self._real) * self._rate

    def _read(self) -> None:
        try:
            stat = self._path.stat()
            stamp = (stat.st_mtime_ns, stat.st_ino)
            if stamp == self._stamp:
                return
            told = json.loads(self._path.read_text())
            self._town = _moment(told["base_town"])
            self._real = _moment(told["base_real"])
            self._rate = float(told["rate"])
            self._stamp = stamp
        except (OSError, ValueError, KeyError, TypeError):
            return  # absent or half written: the last known pace goes on


def _moment(text: str | float) -> datetime:
    if not isinstance(text, str):  # `base_real` is seconds since 1970.
        return datetime.fromtimestamp(text, UTC)
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)
