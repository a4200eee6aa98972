"""Bring a Kafka cluster to the table of ``schemas.topics``: create what is absent, name what differs.

Nothing that exists is changed: partitions are never lowered nor raised, because keys would move, and a
shorter retention would delete what a consumer that was down still needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from schemas.topics import TOPICS, Topic
from services.runtime.kafka_access import KafkaAccess

DEAD_RETENTION: Final = timedelta(days=30)
MAX_REPLICAS: Final = 3
_TOPIC_RESOURCE: Final = 2
_ALREADY_EXISTS: Final = 36


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """How one topic has to stand on the cluster."""

    name: str
    partitions: int
    settings: Mapping[str, str]


def plans(topics: tuple[Topic, ...] = TOPICS) -> list[TopicPlan]:
    """Return every topic and its ``.dead`` as they have to be."""
    return [plan for topic in topics for plan in (_plan(topic), _dead_plan(topic))]


def differences(plan: TopicPlan, partitions: int, settings: Mapping[str, str]) -> list[str]:
    """Return a sentence for each thing that stands otherwise on the cluster."""
    found = []
    if partitions != plan.partitions:
        found.append(f"{plan.name}: has {partitions} partitions, expected {plan.partitions}")
    for name, expected in plan.settings.items():
        actual = settings.get(name, "nothing")
        if actual != expected:
            found.append(f"{plan.name}: {name} is {actual}, expected {expected}")
    return found


async def ensure_topics(kafka: KafkaAccess, replicas: int | None = None) -> list[str]:
    """Create the topics that are absent and return what differs in those that were there.

    ``replicas`` is how many copies a new topic gets; ``None`` makes one on each broker, up to three.
    """
    from aiokafka.admin import AIOKafkaAdminClient

    admin = AIOKafkaAdminClient(**kafka.client(), request_timeout_ms=10_000)
    await admin.start()
    try:
        wanted = plans()
        there = set(await admin.list_topics())
        await _create(admin, [plan for plan in wanted if plan.name not in there], replicas)
        return await _compare(admin, [plan for plan in wanted if plan.name in there])
    finally:
        await admin.close()


def _plan(topic: Topic) -> TopicPlan:
    settings = _common(topic.retention)
    if topic.compacted:
        settings |= {"cleanup.policy": "compact", "segment.ms": "3600000", "min.cleanable.dirty.ratio": "0.1"}
    return TopicPlan(topic.name, topic.partitions, settings)


def _dead_plan(topic: Topic) -> TopicPlan:
    return TopicPlan(topic.dead, topic.partitions, _common(DEAD_RETENTION))


def _common(retention: timedelta | None) -> dict[str, str]:
    milliseconds = -1 if retention is None else int(retention.total_seconds() * 1000)
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(milliseconds),
        "min.insync.replicas": "2",
        # Above the producer's own limit of 1,048,576: a record that only the broker refuses would block
        # an idempotent producer for good.
        "max.message.bytes": "1048588",
    }


async def _create(admin: Any, absent: list[TopicPlan], replicas: int | None) -> None:
    from aiokafka.admin import NewTopic
    from aiokafka.errors import for_code

    if not absent:
        return
    copies = replicas or await _replicas(admin)
    new = [NewTopic(plan.name, plan.partitions, copies, topic_configs=dict(plan.settings)) for plan in absent]
    answer = await admin.create_topics(new)
    for name, code, *_ in answer.topic_errors:
        if code not in {0, _ALREADY_EXISTS}:
            raise for_code(code)(f"topic {name}")


async def _replicas(admin: Any) -> int:
    cluster = await admin.describe_cluster()
    return min(MAX_REPLICAS, len(cluster["brokers"]))


async def _compare(admin: Any, present: list[TopicPlan]) -> list[str]:
    from aiokafka.errors import IncompatibleBrokerVersion

    if not present:
        return []
    described = await admin.describe_topics([plan.name for plan in present])
    partitions = {topic["topic"]: len(topic["partitions"]) for topic in described}
    try:
        settings = await _settings(admin, [plan.name for plan in present])
    except IncompatibleBrokerVersion:
        return ["the cluster does not tell how its topics are set"]
    return [
        line
        for plan in present
        for line in differences(plan, partitions.get(plan.name, 0), settings.get(plan.name, {}))
    ]


async def _settings(admin: Any, names: list[str]) -> dict[str, dict[str, str]]:
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    read: dict[str, dict[str, str]] = {}
    for answer in answers:
        for _code, _message, _kind, name, entries in answer.resources:
            read[name] = {entry[0]: entry[1] for entry in entries}
    return read
