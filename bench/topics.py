"""What stands on a topic after a run: where it ends, and what a side wrote there."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # it stands there

from bench.harness import NotMeasured
from schemas.envelope import Envelope
from services.runtime.signing import load_verifier

WITHIN_S: Final = 60.0


def make_topic(bootstrap: str, topic: str, partitions: int = 6) -> None:
    """Make a topic of the benchmark's own."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for answer in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
        answer.result()


def ends(bootstrap: str, topic: str) -> dict[int, int]:
    """Return the offset behind the last record of each partition.

    Raises:
        NotMeasured: No broker answers there.
    """
    consumer = _consumer(bootstrap)
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        return {number: _end(consumer, TopicPartition(topic, number)) for number in partitions}
    except KafkaException as err:
        raise NotMeasured(f"no broker at {bootstrap}: {err}") from err
    finally:
        consumer.close()


def _end(consumer: Consumer, place: TopicPartition) -> int:
    """Return a partition's end; a client that just heard of the topic may not know its leader yet."""
    until_s = time.monotonic() + WITHIN_S
    while True:
        try:
            return int(consumer.get_watermark_offsets(place, timeout=10)[1])
        except KafkaException as err:
            if err.args[0].code() != KafkaError._UNKNOWN_PARTITION or time.monotonic() > until_s:
                raise
            time.sleep(0.2)


def records(bootstrap: str, topic: str, since: Mapping[int, int]) -> Iterator[Message]:
    """Yield what was written behind these offsets."""
    until = ends(bootstrap, topic)
    left = sum(until.values()) - sum(since.values())
    consumer = _consumer(bootstrap)
    consumer.assign([TopicPartition(topic, number, offset) for number, offset in since.items()])
    until_s = time.monotonic() + WITHIN_S
    try:
        while left > 0 and time.monotonic() < until_s:
            for message in consumer.consume(1000, timeout=1):
                if message.error():
                    raise NotMeasured(str(message.error()))
                left -= 1
                yield message
    finally:
        consumer.close()
    if left:
        raise NotMeasured(f"{left} records of {topic} could not be read")


def signatures(bootstrap: str, topic: str, since: Mapping[int, int], keys: Path) -> int:
    """Check every signature behind these offsets and return how many hold.

    Raises:
        Refused: One does not.
    """
    verifier, count = load_verifier(keys), 0
    for message in records(bootstrap, topic, since):
        headers: Any = message.headers()  # Any: typed wider than what Kafka carries
        verifier.verify(topic, Envelope.parse(headers or ()), message.value() or b"")
        count += 1
    if not count:
        raise NotMeasured(f"nothing was published on {topic}")
    return count


def _consumer(bootstrap: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"bench-{uuid.uuid4()}",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
