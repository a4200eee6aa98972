"""The broker we start is Apache Kafka, has our topics, and survives what power does to it."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from municipio.topics import ensure_topics, plans
from schemas.topics import MUNICIPALITY, READINGS
from services.runtime.kafka_access import KafkaAccess
from tests.support.kafka import KafkaCluster, kafka, kafka_cluster

pytestmark = pytest.mark.smoke
__all__ = ["kafka"]


async def test_every_topic_of_the_table_and_its_dead_letters_exist(kafka: KafkaCluster) -> None:
    """What `schemas.topics` names stands on the cluster, and a second look finds nothing to differ."""
    assert {plan.name for plan in plans()} <= await _topics(kafka.bootstrap)
    assert [] == await ensure_topics(KafkaAccess(kafka.bootstrap))


async def test_a_topic_that_nobody_declared_is_not_made(kafka: KafkaCluster) -> None:
    """A misspelt topic is an error, never a new topic."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, request_timeout_ms=1000)
    await producer.start()
    try:
        with pytest.raises(KafkaError):
            await producer.send_and_wait("reading", b"{}")
    finally:
        await producer.stop()
    assert "reading" not in await _topics(kafka.bootstrap)


def test_records_survive_a_kill_and_a_restart() -> None:
    """A record acknowledged before kill -9 is there after the start."""
    import asyncio

    with kafka_cluster() as cluster:
        if cluster.outside:
            pytest.skip("a cluster from outside is not ours to kill")
        asyncio.run(_write(cluster.bootstrap, b"uno"))
        cluster.kill()
        cluster.start()
        asyncio.run(_write(cluster.bootstrap, b"dos"))
        assert [b"uno", b"dos"] == asyncio.run(_read(cluster.bootstrap, 2))


async def test_what_differs_is_named_and_left_alone(kafka: KafkaCluster) -> None:
    """A topic that stands otherwise is reported; nothing on the cluster is changed by the check."""
    from dataclasses import replace

    from municipio import topics

    plan = next(plan for plan in plans() if plan.name == MUNICIPALITY.name)
    other = replace(plan, partitions=2, settings={**plan.settings, "retention.ms": "1000"})
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        found = await topics._compare(admin, [other])
    finally:
        await admin.close()
    assert [
        "municipality: has 1 partitions, expected 2",
        "municipality: retention.ms is -1, expected 1000",
    ] == found


async def _topics(bootstrap: str) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return set(await admin.list_topics())
    finally:
        await admin.close()


async def _write(bootstrap: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait(READINGS.name, value, partition=0)
    finally:
        await producer.stop()


async def _read(bootstrap: str, count: int) -> list[bytes | None]:
    consumer = AIOKafkaConsumer(READINGS.name, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()
