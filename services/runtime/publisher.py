"""Publish to Kafka with the raw idempotent producer; FastStream's batches do not route by key."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka_errors
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from services.runtime.outbox import Outgoing
from services.runtime.publishing import PublishFailed
from services.runtime.settings import RuntimeSettings

SEND_TIMEOUT_S = 10.0
METADATA_TIMEOUT_S = 3.0
CLOSE_TIMEOUT_S = 2.0
CONNECT_TIMEOUT_S = 5.0
KEYS_MOST = 10_000
RECORD_OVERHEAD_BYTES = 2048
MAX_REQUEST_BYTES = 1_000_000  # Below the topics' max.message.bytes, so that the client refuses first.

# The producer itself is out of step, or the broker is away or busy: no record is to blame.
_NOT_THE_RECORD = (
    kafka_errors.OutOfOrderSequenceNumber,
    kafka_errors.KafkaTimeoutError,
    kafka_errors.KafkaConnectionError,
    kafka_errors.NodeNotReadyError,
    kafka_errors.ProducerClosed,
    kafka_errors.UnknownTopicOrPartitionError,
    TimeoutError,
    asyncio.CancelledError,
    OSError,
)


Place = tuple[str, int]
"""Topic and partition."""
Result = PublishFailed | None


class KafkaPublisher:
    """One producer; worthless after the first failure, because a refused batch breaks its sequence.

    Records travel in batches that we build ourselves, one partition after another in step: a future and
    a look at the topic for each record would cost three times the sending.
    """

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._partitioner = DefaultPartitioner()
        self._partitions: dict[str, list[int]] = {}
        self._by_key: dict[tuple[str, str], int] = {}

    async def send(self, batch: Sequence[Outgoing]) -> list[Result]:
        """Publish; return one result per record. An idempotent producer waits for ever, so we do not."""
        await self._look_at_topics({each.topic for each in batch})
        lost = PublishFailed("not acknowledged in time", is_refused=False)
        results: list[Result] = [lost] * len(batch)
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                places = self._sorted_out(batch, results)
                await asyncio.gather(
                    *(self._send_to(place, batch, at, results) for place, at in places.items())
                )
        except TimeoutError:
            pass
        return results

    def _sorted_out(self, batch: Sequence[Outgoing], results: list[Result]) -> dict[Place, list[int]]:
        """Return which records go where, in order; what cannot go gets its result here."""
        places: dict[Place, list[int]] = {}
        stopped: set[str] = set()
        for at, each in enumerate(batch):
            if each.topic not in self._partitions:
                results[at] = PublishFailed(f"topic {each.topic} does not exist", is_refused=False)
            elif each.hold in stopped:
                results[at] = PublishFailed("a record before it failed", is_refused=False)
            elif len(each.value) + RECORD_OVERHEAD_BYTES > MAX_REQUEST_BYTES:
                stopped.add(each.hold)
                results[at] = PublishFailed(kafka_errors.MessageSizeTooLargeError.__name__, is_refused=True)
            else:
                places.setdefault((each.topic, self._partition(each)), []).append(at)
        return places

    def _partition(self, each: Outgoing) -> int:
        if each.partition is not None:
            return each.partition
        partitions = self._partitions[each.topic]
        if each.key is None:
            return int(self._partitioner(None, partitions, partitions))
        known = self._by_key.get((each.topic, each.key))
        if known is None:
            if len(self._by_key) >= KEYS_MOST:
                self._by_key.clear()
            known = int(self._partitioner(each.key.encode(), partitions, partitions))
            self._by_key[each.topic, each.key] = known
        return known

    async def _send_to(
        self, place: Place, batch: Sequence[Outgoing], places: Sequence[int], results: list[Result]
    ) -> None:
        """Send a partition's records, each batch once the one before is confirmed, up to a failure."""
        left = deque(places)
        while left:
            builder, inside = self._producer.create_batch(), []
            while left and self._add(builder, batch[left[0]]):
                inside.append(left.popleft())
            try:
                confirmed = await self._producer.send_batch(builder, place[0], partition=place[1])
                await confirmed
            except (*_NOT_THE_RECORD, kafka_errors.KafkaError, AssertionError) as err:
                if isinstance(err, asyncio.CancelledError) and _is_ours_to_end():
                    raise
                failure = _failure(err)
                for at in (*inside, *left):
                    results[at] = failure
                return
            for at in inside:
                results[at] = None

    @staticmethod
    def _add(builder: BatchBuilder, each: Outgoing) -> bool:
        """Add a record to a batch; say whether it had room. The first one always has."""
        key = each.key.encode() if each.key is not None else None
        return (
            builder.append(key=key, value=each.value, timestamp=None, headers=list(each.headers()))
            is not None
        )

    async def _look_at_topics(self, topics: set[str]) -> None:
        """Ask with a bound per topic: one that is absent must not stop the others."""
        for topic in topics:
            try:
                found = await asyncio.wait_for(self._producer.partitions_for(topic), METADATA_TIMEOUT_S)
            except (kafka_errors.KafkaError, TimeoutError):
                self._partitions.pop(topic, None)
                continue
            partitions = sorted(found)
            if partitions != self._partitions.get(topic):
                self._by_key.clear()
                self._partitions[topic] = partitions

    async def close(self) -> None:
        """Let go of the producer; what it still holds may or may not be written."""
        await _close(self._producer)


async def connect_publisher(settings: RuntimeSettings, client_id: str) -> KafkaPublisher:
    """Return a connected publisher.

    Raises:
        KafkaError, TimeoutError: The broker is away.
    """
    producer = AIOKafkaProducer(
        **settings.kafka.client(),
        client_id=client_id,
        enable_idempotence=True,
        acks="all",
        linger_ms=0,
        max_batch_size=262_144,
        max_request_size=MAX_REQUEST_BYTES,
        request_timeout_ms=int(SEND_TIMEOUT_S * 1000),
        metadata_max_age_ms=10_000,
    )
    try:
        await asyncio.wait_for(producer.start(), CONNECT_TIMEOUT_S)
    except BaseException:
        await _close(producer)
        raise
    return KafkaPublisher(producer)


async def _close(producer: AIOKafkaProducer) -> None:
    with contextlib.suppress(Exception):
        await asyncio.wait_for(producer.stop(), CLOSE_TIMEOUT_S)
        return
    with contextlib.suppress(Exception):
        await producer._sender.close()
    with contextlib.suppress(Exception):
        await producer.client.close()


def _failure(error: BaseException) -> PublishFailed:
    is_away = isinstance(error, _NOT_THE_RECORD) or bool(getattr(error, "retriable", False))
    return PublishFailed(type(error).__name__, is_refused=not is_away)


def _is_ours_to_end() -> bool:
    """Say whether this task itself is being cancelled, and not only a future of the producer."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
