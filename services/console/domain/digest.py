"""Say in one number what a collection holds, whatever the order in which it is read. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime

_MODULUS = 2**256


class Digest:
    """The sum of the SHA-256 of each row; the same rows on another database give the same sum."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = 0

    def add(self, row: Mapping[str, object]) -> None:
        self.count += 1
        raw = canonical(row).encode()
        self._sum = (self._sum + int.from_bytes(hashlib.sha256(raw).digest(), "big")) % _MODULUS

    @property
    def hex(self) -> str:
        return f"{self._sum:064x}"


def canonical(row: Mapping[str, object]) -> str:
    """Return the row as JSON that has one form only."""
    return json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_moment)


def _moment(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    raise TypeError(f"{type(value).__name__} has no canonical form")
