"""A hash of a set of readings, whatever their order: compares what was accepted with what was decided."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from schemas.vocabulary import Property

MODULUS = 1 << 64


def fingerprint_of(sensor_id: str, measured: Property, value: float, observed_at: datetime) -> int:
    """Return 64 bits for one reading, its value in the canonical unit; the same on every machine."""
    moment = observed_at.astimezone(UTC).isoformat(timespec="microseconds")
    text = f"{sensor_id}\n{measured.value}\n{value!r}\n{moment}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def add(total: str, fingerprint: int) -> str:
    """Return the hash of a set, 16 hex digits, with one more reading in it; the empty set is ``""``."""
    return f"{(int(total or '0', 16) + fingerprint) % MODULUS:016x}"
