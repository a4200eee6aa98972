"""Read records whose header *names* are not UTF-8, which stop aiokafka's consumer for ever.

Any outsider who may write to a topic could block its partition with one such record. aiokafka's fast
reader stays in use; a batch that it cannot decode is read again by its slow one, with the names escaped.
Holds for aiokafka 0.14; ``tests/smoke/test_runtime_kafka.py`` proves it on a broker.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

_LENGTH_AT = 8
_LENGTH_ENDS_AT = 12
_MAGIC_AT = 16
_WITH_HEADERS = 2


class TolerantRecords:
    """What one fetch returned, batch by batch."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0
        self._fast = MemoryRecords(raw)

    def has_next(self) -> bool:
        return bool(self._fast.has_next())

    def size_in_bytes(self) -> int:
        return len(self._raw)

    def next_batch(self) -> Any:
        """Return the next batch, or ``None``."""
        batch = self._fast.next_batch()
        if batch is None:
            return None
        start = self._at
        length = int.from_bytes(self._raw[start + _LENGTH_AT : start + _LENGTH_ENDS_AT], "big")
        self._at = start + _LENGTH_ENDS_AT + length
        return _TolerantBatch(batch, self._raw[start : self._at])


class _TolerantBatch:
    def __init__(self, fast: Any, raw: bytes) -> None:
        self._fast = fast
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fast, name)

    def __iter__(self) -> Iterator[Any]:
        """Yield the records; after an error the first ones again, which the fetcher skips by offset."""
        try:
            yield from self._fast
        except UnicodeDecodeError:
            if self._raw[_MAGIC_AT] < _WITH_HEADERS:
                raise
            yield from _slowly(self._raw)


def _slowly(raw: bytes) -> Iterator[Any]:
    batch = _DefaultRecordBatchPy(raw)
    batch._maybe_uncompress()
    batch._buffer = _Escaping(batch._buffer)
    yield from batch


class _Escaping(bytearray):
    """Bytes whose slices decode whatever they hold."""

    def __getitem__(self, at: Any) -> Any:
        got = super().__getitem__(at)
        return _Escaping(got) if isinstance(at, slice) else got

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, "backslashreplace" if errors == "strict" else errors)


def install() -> None:
    """Have every consumer of this process read so."""
    fetcher.MemoryRecords = TolerantRecords
