"""A broker that asks: everybody writes and reads what the table of topics says, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError

from municipio.acls import SENSORS
from municipio.kafka import KEEPER
from municipio.keyring import SERVICES
from municipio.topics import ensure_topics
from schemas.topics import INCIDENTS, READINGS, READINGS_EXTERNAL, TOPICS
from services.runtime.kafka_access import KafkaAccess
from tests.support.kafka_cluster import SecureCluster, may_write, secure_cluster

pytestmark = [pytest.mark.smoke, pytest.mark.timeout(170)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureCluster]:
    """One node with every topic, made by the one who keeps them."""
    with secure_cluster(tmp_path_factory.mktemp("kafka") / "secure", nodes=(1,)) as cluster:
        assert asyncio.run(ensure_topics(cluster.access(KEEPER))) == []
        cluster.until_whole()
        yield cluster


async def test_a_sensor_writes_what_is_outside_and_nothing_else(cluster: SecureCluster) -> None:
    """With the password of a sensor network nobody can forge a reading of ours, a decision or a warning."""
    sensors = cluster.access(SENSORS)
    assert await may_write(sensors, READINGS_EXTERNAL.name)
    assert {topic.name: False for topic in TOPICS if topic.ours} == {
        topic.name: await may_write(sensors, topic.name) for topic in TOPICS if topic.ours
    }


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_writes_only_what_it_produces(cluster: SecureCluster, service: str) -> None:
    """Held against the table itself, topic by topic."""
    expected = {
        topic.name: any(service in kind.producers for kind in topic.types)
        for topic in TOPICS
        if not topic.compacted
    }
    assert expected == {name: await may_write(cluster.access(service), name) for name in expected}


async def test_a_service_reads_only_what_it_consumes(cluster: SecureCluster) -> None:
    """Ingest learns of incidents; of readings, once published, it has nothing to learn."""
    ingest = cluster.access("ingest")
    assert await may_write(cluster.access("triage"), INCIDENTS.name)
    await _reads(ingest, INCIDENTS.name, "ingest.incidents")
    with pytest.raises(TopicAuthorizationFailedError):
        await _reads(ingest, READINGS.name, "ingest.readings")
    with pytest.raises(GroupAuthorizationFailedError):
        await _reads(ingest, INCIDENTS.name, "notify.incidents")


async def test_nobody_comes_in_without_a_password(cluster: SecureCluster) -> None:
    """Neither with a wrong one nor with none."""
    for stranger in (replace(cluster.access(SENSORS), password="guess"), KafkaAccess(cluster.bootstrap)):
        with pytest.raises(KafkaError):
            await may_write(stranger, READINGS_EXTERNAL.name)


async def _reads(kafka: KafkaAccess, topic: str, group: str) -> None:
    """Return once a record of the topic was read."""
    consumer = AIOKafkaConsumer(topic, **kafka.client(), group_id=group, auto_offset_reset="earliest")
    try:
        async with asyncio.timeout(60):
            await consumer.start()
            while not await consumer.getmany(timeout_ms=500):
                pass
    finally:
        await consumer.stop()
