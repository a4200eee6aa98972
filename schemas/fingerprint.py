"""A hash of a set of readings, whatever their order: compares what was accepted with what was decided."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import repeat
from struct import Struct
from typing import Final, Protocol

from xxhash import xxh3_64_intdigest

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
MODULUS: Final = 1 << 64
_pack: Final = Struct("<dd").pack


def fingerprint_of(sensor_id: str, measured: str, observed_at: datetime, value: float) -> int:
    """Return 64 bits of one reading, its value in the canonical unit; a set's hash is their sum.

    XXH3 with 64 bits over two doubles, little-endian: seconds since 1970, and the value. Its seed is XXH3
    over ``sensor_id|property``. It tells what was lost, doubled or changed by accident; who may write
    ``readings`` is for the broker to say. The number ``n`` is left out, so that a client can compute the
    sum from its own log of what was accepted; the count and the list of gaps prove the numbers.
    """
    return xxh3_64_intdigest(_pack(observed_at.timestamp(), value), _seed(sensor_id, measured))


class Measured(Protocol):
    """A reading of one sensor and property."""

    @property
    def observed_at(self) -> datetime: ...

    @property
    def value(self) -> float: ...


def fingerprint_of_many(sensor_id: str, measured: str, readings: Iterable[Measured]) -> int:
    """Return the sum of the fingerprints of one sensor's readings, for half the price of one by one."""
    packed = [_pack(each.observed_at.timestamp(), each.value) for each in readings]
    return sum(map(xxh3_64_intdigest, packed, repeat(_seed(sensor_id, measured))))


def _seed(sensor_id: str, measured: str) -> int:
    return xxh3_64_intdigest(f"{sensor_id}|{measured}".encode())


def add(total: str, fingerprint: int) -> str:
    """Return the hash of a set, 16 hex digits, with one more reading in it; the empty set is ``""``."""
    return f"{(int(total or '0', 16) + fingerprint) % MODULUS:016x}"
