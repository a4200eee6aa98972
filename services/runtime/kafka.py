"""The broker, and the only place that subscribes: every dangerous default is set by hand here."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import structlog
from faststream import AckPolicy
from faststream.kafka import ConsumerRecord, KafkaBroker, KafkaMessage
from faststream.kafka.subscriber.usecase import BatchSubscriber

from services.runtime import process, tolerant_records
from services.runtime.consumer import Consumer, Handle
from services.runtime.fence import Gate
from services.runtime.health import Health
from services.runtime.publisher import KafkaPublisher, connect_publisher
from services.runtime.settings import RuntimeSettings

log = structlog.get_logger()

CONNECT_AGAIN_S = 0.5
CONNECT_AGAIN_S_MAX = 1.5
GRACE_S = 15.0
ONE_BY_ONE_MAX = 20
"""Records in a batch whose every record is a transaction of its own: it is soon handled whole."""


def kafka_broker(settings: RuntimeSettings, service: str) -> KafkaBroker:
    """Return the broker of a service's consumers; publishing is the relay's alone."""
    tolerant_records.install()
    return KafkaBroker(
        settings.kafka.bootstrap.split(","),  # FastStream takes a word with commas for one host.
        security=settings.kafka.faststream(),
        client_id=f"{service}-{settings.slot}",
        consumer_only=True,
        allow_auto_create_topics=False,
        enable_idempotence=True,
        acks="all",
        metadata_max_age_ms=10_000,
        graceful_timeout=GRACE_S,
        ack_policy=AckPolicy.NACK_ON_ERROR,
        logger=logging.getLogger("municipio.faststream"),
        log_level=logging.DEBUG,
    )


async def safe_parser(message: tuple[ConsumerRecord, ...], original: Callable[..., Any]) -> Any:
    """Parse a batch without its headers, then give the true records back.

    FastStream decodes headers before any handler runs; one that is not UTF-8 made it skip the whole
    batch without an error. The handler reads headers itself.
    """
    parsed = await original(tuple(replace(record, headers=()) for record in message))
    parsed.raw_message = message
    return parsed


async def raw_decoder(message: Any) -> Any:
    """Guess nothing: the handler reads the bytes itself."""
    return message.body


def subscribe(
    broker: KafkaBroker,
    topic_name: str,
    *,
    service: str,
    slot: int,
    handle: Handle,
    health: Health,
    max_records: int = 200,
    partition_fetch_bytes: int = 1 << 20,
    ownership: Gate | None = None,
    crash: Callable[[str], Any] = process.crash,
) -> Consumer:
    """Hand every record of a topic to ``handle``, in order per partition, until it succeeded.

    ``handle`` raises ``Retriable`` (the batch is read again after a growing wait), ``OursMalformed`` (this
    consumer stops for good, ``/readyz`` turns red, nothing is skipped), or anything else, a broken
    invariant (the process crashes and its manager starts it again). With an ``Ownership`` it begins its
    transaction with ``ownership.advance``.

    Run the consumer's ``watch()`` beside the broker: it tells ``health`` about progress.
    """
    gate = ownership if ownership is not None else Gate()
    subscriber = broker.subscriber(
        topic_name,
        batch=True,
        batch_timeout_ms=10,
        max_records=max_records,
        max_partition_fetch_bytes=partition_fetch_bytes,
        group_id=f"{service}.{topic_name}",
        group_instance_id=f"{service}.{topic_name}-{slot}",
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
        no_reply=True,
        parser=safe_parser,
        decoder=raw_decoder,
        listener=gate,
        session_timeout_ms=6_000,
        heartbeat_interval_ms=1_000,
        max_poll_interval_ms=300_000,
    )
    consumer = Consumer(topic_name, handle, gate, health, crash, lambda: _client_of(subscriber))

    async def on_batch(message: KafkaMessage) -> None:
        await consumer.on_batch(message)

    subscriber(on_batch)
    return consumer


def _client_of(subscriber: BatchSubscriber) -> Any:
    return subscriber.consumer


async def connect_forever(broker: KafkaBroker, up: asyncio.Event) -> None:
    """Start the broker as soon as Kafka answers; a task of the process, cancelled at its end."""
    wait_s = CONNECT_AGAIN_S
    while True:
        try:
            await broker.start()
        except Exception as err:
            log.warning("kafka.not_reached", error=type(err).__name__, again_in_s=wait_s)
            with contextlib.suppress(Exception):
                await broker.stop()  # Closes the half-started clients.
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, CONNECT_AGAIN_S_MAX)
        else:
            up.set()
            return


async def kafka_publisher(settings: RuntimeSettings, client_id: str) -> KafkaPublisher:
    """Return a connected publisher; what a relay's ``make_publisher`` calls.

    Raises:
        KafkaError, TimeoutError: The broker is away.
    """
    return await connect_publisher(settings, client_id)
