"""Publish to Kafka with the raw idempotent producer; FastStream's batches do not route by key."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka_errors

from services.runtime.outbox import Outgoing
from services.runtime.publishing import PublishFailed
from services.runtime.settings import RuntimeSettings

SEND_TIMEOUT_S = 10.0
METADATA_TIMEOUT_S = 3.0
CLOSE_TIMEOUT_S = 2.0
CONNECT_TIMEOUT_S = 5.0
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


class KafkaPublisher:
    """One producer; worthless after the first failure, because a refused batch breaks its sequence."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._known: set[str] = set()

    async def send(self, batch: Sequence[Outgoing]) -> list[PublishFailed | None]:
        """Publish; return one result per record. An idempotent producer waits for ever, so we do not."""
        unknown = await self._unknown_topics({each.topic for each in batch})
        futures: list[asyncio.Future[object] | PublishFailed] = []
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._enqueue(batch, unknown, futures)
                await asyncio.wait(
                    [each for each in futures if isinstance(each, asyncio.Future)] or [_done()]
                )
        except TimeoutError:
            pass
        lost = PublishFailed("not acknowledged in time", is_refused=False)
        results = [_result(future, lost) for future in futures]
        return results + [lost] * (len(batch) - len(results))

    async def _enqueue(
        self,
        batch: Sequence[Outgoing],
        unknown: set[str],
        futures: list[asyncio.Future[object] | PublishFailed],
    ) -> None:
        stopped: set[str] = set()
        for each in batch:
            if each.topic in unknown:
                futures.append(PublishFailed(f"topic {each.topic} does not exist", is_refused=False))
            elif each.hold in stopped:
                futures.append(PublishFailed("a record before it failed", is_refused=False))
            else:
                try:
                    futures.append(await self._send_one(each))
                except (kafka_errors.KafkaError, AssertionError) as err:
                    stopped.add(each.hold)
                    futures.append(_failure(err))

    async def _send_one(self, each: Outgoing) -> asyncio.Future[object]:
        future: asyncio.Future[object] = await self._producer.send(
            each.topic,
            value=each.value,
            key=each.key.encode() if each.key is not None else None,
            partition=each.partition,
            headers=each.envelope.headers(),
        )
        return future

    async def _unknown_topics(self, topics: set[str]) -> set[str]:
        """Ask once per topic, with a bound of its own: one absent topic must not stop the others."""
        absent = set()
        for topic in topics - self._known:
            try:
                await asyncio.wait_for(self._producer.partitions_for(topic), METADATA_TIMEOUT_S)
                self._known.add(topic)
            except (kafka_errors.KafkaError, TimeoutError):
                absent.add(topic)
        return absent

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


def _result(future: asyncio.Future[object] | PublishFailed, lost: PublishFailed) -> PublishFailed | None:
    if isinstance(future, PublishFailed):
        return future
    if not future.done():
        future.cancel()
        return lost
    if future.cancelled():
        return lost
    error = future.exception()
    return None if error is None else _failure(error)


def _failure(error: BaseException) -> PublishFailed:
    is_away = isinstance(error, _NOT_THE_RECORD) or bool(getattr(error, "retriable", False))
    return PublishFailed(type(error).__name__, is_refused=not is_away)


def _done() -> asyncio.Future[object]:
    future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future
