"""What a baseline is told and what it answers; every baseline is a program of its own."""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """Fold ``count`` readings of ``topic`` and write each change to ``out``."""

    bootstrap: str
    topic: str
    out: str
    group: str
    count: int


def task() -> Task:
    parser = argparse.ArgumentParser()
    for name in ("bootstrap", "topic", "out", "group"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--count", type=int, required=True)
    return Task(**vars(parser.parse_args()))


class Timer:
    """``began`` at the assignment, ``ended`` when all is written and committed; CPU seconds between."""

    def __init__(self) -> None:
        self._wall_s = self._cpu_s = 0.0
        self.took: dict[str, float] = {}

    def began(self) -> None:
        self._wall_s, self._cpu_s = time.monotonic(), _cpu_s()

    def ended(self) -> None:
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self.took = {
            "seconds": time.monotonic() - self._wall_s,
            "cpu_s": _cpu_s() - self._cpu_s,
            "peak_rss_mb": peak_mb,
        }


@contextmanager
def answering() -> Iterator[Timer]:
    """Print what the timer took as the program's only line of output."""
    timer = Timer()
    yield timer
    sys.stdout.write(json.dumps(timer.took) + "\n")
    sys.stdout.flush()


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
