"""When the disk will be full, from how fast the data folder has grown."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.runtime import metrics

LOOKS_MOST: Final = 1440
"""A day of looks, one a minute."""

SPAN_S_LEAST: Final = 600.0
"""A shorter time says nothing: one flood, one new segment of the broker."""

_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Look:
    """What the folder held at one time; ``at_s`` by a clock that nobody sets."""

    at_s: float
    used_bytes: int
    free_bytes: int


def days_until_full(first: Look, last: Look) -> float | None:
    """Return the days until nothing is free; ``None`` when it is not known, or nothing grows."""
    span_s, grown = last.at_s - first.at_s, last.used_bytes - first.used_bytes
    if span_s < SPAN_S_LEAST or grown <= 0:
        return None
    return last.free_bytes / (grown / span_s) / _DAY_S


class Disk:
    """Looks at one folder now and then, and remembers for a day.

    Args:
        look: Measures; a test gives its own.
    """

    def __init__(self, folder: Path, look: Callable[[Path], Look] | None = None) -> None:
        self._folder = folder
        self._look = look or look_at
        self._looks: deque[Look] = deque(maxlen=LOOKS_MOST)

    async def look(self) -> None:
        """Measure once, beside the loop: a folder may hold thousands of files."""
        seen = await asyncio.to_thread(self._look, self._folder)
        self._looks.append(seen)
        metrics.DISK_FREE.set(seen.free_bytes)
        metrics.DISK_DAYS.set(float("nan") if self.days_until_full is None else self.days_until_full)

    @property
    def days_until_full(self) -> float | None:
        return days_until_full(self._looks[0], self._looks[-1]) if self._looks else None

    def as_json(self) -> dict[str, Any]:
        """Return what is known, for ``/admin/v1/status``."""
        last = self._looks[-1] if self._looks else None
        days = self.days_until_full
        return {
            "free_bytes": last.free_bytes if last else None,
            "used_bytes": last.used_bytes if last else None,
            "days_until_full": None if days is None else round(days, 1),
        }


def look_at(folder: Path) -> Look:
    """Return what the folder's files take up, holes left out, and what is free beside them."""
    used = 0
    for place, _, names in os.walk(folder):
        used += sum(_bytes_of(Path(place) / name) for name in names)
    return Look(time.monotonic(), used, free_bytes(folder))


def free_bytes(folder: Path) -> int:
    """Return what may still be written where the folder is or will be."""
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    return shutil.disk_usage(there).free


def _bytes_of(file: Path) -> int:
    try:
        return file.lstat().st_blocks * 512
    except OSError:
        return 0  # Gone meanwhile.
