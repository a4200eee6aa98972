"""What a side costs: CPU seconds and memory of its processes and their children, watched from outside."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import psutil

LOOK_EVERY_S: Final = 0.05
MB: Final = 1 << 20


class Cost:
    """Grows while the watch lasts. A process that ends keeps what it had used when it was last seen."""

    def __init__(self) -> None:
        self.peak_rss_mb = 0.0
        self._first: dict[tuple[int, float], float] = {}
        self._last: dict[tuple[int, float], float] = {}

    @property
    def cpu_s(self) -> float:
        return sum(last - self._first[key] for key, last in self._last.items())

    def look(self, pids: Iterable[int], *, is_first: bool = False) -> None:
        """Add up what these processes and all below them use now."""
        rss = 0
        for process in _with_children(pids):
            try:
                used, key = process.cpu_times(), (process.pid, process.create_time())
                rss += process.memory_info().rss
            except psutil.Error:
                continue
            total = used.user + used.system
            self._first.setdefault(key, total if is_first else 0.0)
            self._last[key] = total
        self.peak_rss_mb = max(self.peak_rss_mb, rss / MB)


@contextmanager
def watch(*pids: int) -> Iterator[Cost]:
    """Watch processes until the block ends; what was used before is not counted."""
    cost, over = Cost(), threading.Event()
    cost.look(pids, is_first=True)

    def look_on() -> None:
        while not over.wait(LOOK_EVERY_S):
            cost.look(pids)

    thread = threading.Thread(target=look_on, daemon=True)
    thread.start()
    try:
        yield cost
    finally:
        over.set()
        thread.join()
        cost.look(pids)


def _with_children(pids: Iterable[int]) -> Iterator[psutil.Process]:
    for pid in pids:
        try:
            process = psutil.Process(pid)
            yield process
            yield from process.children(recursive=True)
        except psutil.Error:
            continue
