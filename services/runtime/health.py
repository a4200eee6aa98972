"""Whether this process makes progress and whether it may be given work."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

STALE_AFTER_S = 20.0


@dataclass(frozen=True, slots=True)
class Report:
    """One answer of ``/healthz`` or ``/readyz``: the parts that are not well, and why."""

    troubles: dict[str, str]

    @property
    def is_well(self) -> bool:
        return not self.troubles


class Health:
    """Kept by the parts of a process themselves.

    A part that was beaten once must be beaten again within its time, or the process is not alive. A
    part that failed makes the process not ready until it is cleared.
    """

    def __init__(self, service: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.service = service
        self._monotonic = monotonic
        self._deadlines: dict[str, float] = {}
        self._failures: dict[str, str] = {}

    def beat(self, part: str, within_s: float = STALE_AFTER_S) -> None:
        """Say that ``part`` made progress, or has nothing to do, and will say so again in time."""
        self._deadlines[part] = self._monotonic() + within_s

    def rest(self, part: str) -> None:
        """Say that ``part`` ended on purpose and owes no further beat."""
        self._deadlines.pop(part, None)

    def fail(self, part: str, why: str) -> None:
        """Say that ``part`` cannot work; the process is not ready."""
        self._failures[part] = why

    def clear(self, part: str) -> None:
        """Say that ``part`` works again."""
        self._failures.pop(part, None)

    def alive(self) -> Report:
        """Return the parts that made no progress in their time."""
        now_s = self._monotonic()
        late = {part: now_s - deadline for part, deadline in self._deadlines.items() if deadline < now_s}
        return Report({part: f"no progress, overdue by {by_s:.0f} s" for part, by_s in late.items()})

    def ready(self) -> Report:
        """Return the parts that cannot work, those without progress included."""
        return Report({**self.alive().troubles, **self._failures})
