"""Who ends a process that stands still. The process manager starts again only what has died."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from municipio.supervision import ProcessInfo

LOOK_EVERY_S: Final = 5.0
# Far behind what /healthz (20 s) and a process itself (60 s) take to notice a handler that hangs.
STILL_S: Final = 75.0


class Watched(Protocol):
    def info(self) -> Iterable[ProcessInfo]: ...
    def kill(self, process: str) -> int: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """A process that was well at ``well_at_s``; one that never was is starting, not standing still."""

    pid: int
    well_at_s: float


class Watch:
    """Asks every process that has a door whether it makes progress.

    Args:
        is_well: Whether ``/healthz`` of a process answers that it does.
    """

    def __init__(
        self,
        stack: Watched,
        names: Iterable[str],
        is_well: Callable[[str], bool],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stack = stack
        self._names = tuple(names)
        self._is_well = is_well
        self._monotonic = monotonic
        self._seen: dict[str, Seen] = {}

    def look(self) -> list[str]:
        """End with -9 what has stood still for too long, frozen ones too; return their names."""
        pids = {info.name: info.pid for info in self._stack.info()}
        return [name for name in self._names if self._ends(name, pids[name])]

    def _ends(self, name: str, pid: int) -> bool:
        if pid and self._is_well(name):
            self._seen[name] = Seen(pid, self._monotonic())
            return False
        seen = self._seen.get(name)
        if seen is None or seen.pid != pid or self._monotonic() - seen.well_at_s < STILL_S:
            return False
        del self._seen[name]
        return bool(self._stack.kill(name))
