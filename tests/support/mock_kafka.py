"""A Kafka in this process that fails on demand: librdkafka's mock cluster from `confluent-kafka`.

It keeps records in memory only and the last 100,000 (5 MiB) of a partition. One consumer a group.
"""

from __future__ import annotations

import ctypes
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import confluent_kafka

from municipio.topics import plans

PRODUCE, FETCH, OFFSET_COMMIT = 0, 1, 8
REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS, NOT_ENOUGH_REPLICAS_AFTER_APPEND = 7, 19, 20
COORDINATOR_NOT_AVAILABLE = 15
_PRODUCER = 0
_REBALANCE_DELAY_MS = 100

_P, _I = ctypes.c_void_p, ctypes.c_int32
_SIGNATURES = {
    "rd_kafka_conf_new": (_P, []),
    "rd_kafka_new": (_P, [ctypes.c_int, _P, ctypes.c_char_p, ctypes.c_size_t]),
    "rd_kafka_destroy": (None, [_P]),
    "rd_kafka_mock_cluster_new": (_P, [_P, ctypes.c_int]),
    "rd_kafka_mock_cluster_destroy": (None, [_P]),
    "rd_kafka_mock_cluster_bootstraps": (ctypes.c_char_p, [_P]),
    "rd_kafka_mock_topic_create": (ctypes.c_int, [_P, ctypes.c_char_p, ctypes.c_int, ctypes.c_int]),
    "rd_kafka_mock_broker_set_rtt": (ctypes.c_int, [_P, _I, ctypes.c_int]),
    "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [_P, _I]),
    "rd_kafka_mock_broker_error_stack_cnt": (
        ctypes.c_int,
        [_P, _I, ctypes.c_int16, ctypes.POINTER(ctypes.c_size_t)],
    ),
}


class MockKafka:
    """One broker of the mock, on loopback."""

    NODE = 1

    def __init__(self) -> None:
        self._lib = _library()
        self._pushed: Counter[int] = Counter()
        words = ctypes.create_string_buffer(512)
        self._handle = self._lib.rd_kafka_new(_PRODUCER, self._lib.rd_kafka_conf_new(), words, 512)
        self._cluster = self._lib.rd_kafka_mock_cluster_new(self._handle, 1)
        self._lib.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, _REBALANCE_DELAY_MS)
        self.bootstrap: str = self._lib.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def create_topics(self) -> None:
        """Make every topic of the table; the mock knows no settings of topics."""
        for plan in plans():
            self._lib.rd_kafka_mock_topic_create(self._cluster, plan.name.encode(), plan.partitions, 1)

    def fail_next(self, api: int, codes: Sequence[int]) -> None:
        """Answer the next requests of this kind with these errors, one each, and do nothing of them."""
        pairs = [ctypes.c_int(value) for code in codes for value in (code, 0)]
        self._lib.rd_kafka_mock_broker_push_request_error_rtts(
            ctypes.c_void_p(self._cluster),
            _I(self.NODE),
            ctypes.c_int16(api),
            ctypes.c_size_t(len(codes)),
            *pairs,
        )
        self._pushed[api] += len(codes)

    def met(self, api: int) -> int:
        """Return how many of those errors somebody has met."""
        count = ctypes.c_size_t(0)
        self._lib.rd_kafka_mock_broker_error_stack_cnt(self._cluster, self.NODE, api, ctypes.byref(count))
        return self._pushed[api] - count.value

    def slow(self, rtt_ms: int) -> None:
        """Answer everything so much later."""
        self._lib.rd_kafka_mock_broker_set_rtt(self._cluster, self.NODE, rtt_ms)

    def close(self) -> None:
        self._lib.rd_kafka_mock_cluster_destroy(self._cluster)
        self._lib.rd_kafka_destroy(self._handle)


@contextmanager
def mock_kafka() -> Iterator[MockKafka]:
    """Start a mock with every topic."""
    mock = MockKafka()
    try:
        mock.create_topics()
        yield mock
    finally:
        mock.close()


def _library() -> ctypes.CDLL:
    (place,) = confluent_kafka.__path__
    beside = Path(f"{place}.libs")
    (found,) = beside.glob("librdkafka-*")
    library = ctypes.CDLL(os.fspath(found))
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
