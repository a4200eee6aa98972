"""How many requests a source may make: so many at once, and so many a minute after that. Pure."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Final

SOURCES_MOST: Final = 10_000


@dataclass(slots=True)
class _Bucket:
    left: float
    at: datetime


class Pace:
    """Counts per source; it forgets who was quiet longest before it grows without limit."""

    def __init__(self, per_minute: int, sources_most: int = SOURCES_MOST) -> None:
        self._per_minute = per_minute
        self._sources_most = sources_most
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait_s(self, source: str, at: datetime) -> float:
        """Count one request; return 0 when it may pass, else after how many seconds to come again."""
        bucket = self._buckets.get(source)
        if bucket is None:
            bucket = self._buckets[source] = _Bucket(self._per_minute, at)
            if len(self._buckets) > self._sources_most:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(source)
        grown = max(0.0, (at - bucket.at).total_seconds()) * self._per_minute / 60
        bucket.left, bucket.at = min(float(self._per_minute), bucket.left + grown), at
        if bucket.left < 1:
            return (1 - bucket.left) * 60 / self._per_minute
        bucket.left -= 1
        return 0.0
