"""The order-independent hash by which an outsider can prove that no reading was lost. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
MODULUS: Final = 1 << 64


def digest_of(sensor_id: str, prop: str, observed_at: datetime, value: float) -> int:
    """Return 64 bits of one reading; a sensor's digest is their sum modulo 2**64.

    BLAKE2b with 8 bytes, read big-endian, over ``sensor_id|property|microseconds since 1970|repr(value)``.
    The number ``n`` is left out, so that a client can compute the sum from its own log of what was
    accepted; the count and the list of gaps prove the numbers.
    """
    moment = (observed_at - EPOCH) // MICROSECOND
    text = f"{sensor_id}|{prop}|{moment}|{float(value)!r}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
