"""Brokers on this machine, each its own controller, that ask every client who it is and what it may."""

from __future__ import annotations

import base64
import secrets
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from municipio.acls import Acl, acls, principals
from municipio.broker import Broker, wait_until_open
from municipio.paths import write_private
from municipio.ports import free_ports
from services.runtime.kafka_access import KafkaAccess

NODES = (1, 2, 3)
BROKER, ROOT = "broker", "root"
"""Who the brokers are among themselves, and who may do everything; neither is given to a service."""
ADMIN_WITHIN_S = 30
LOGIN = "org.apache.kafka.common.security"

Place = tuple[str, int]


class SecureCluster:
    """The cluster. A node is stopped by -9 alone: what survives that survives a polite end."""

    def __init__(self, folder: Path, nodes: Sequence[int] = NODES) -> None:
        self.logins = folder / "logins"
        self._passwords = _make_passwords(self.logins)
        self._brokers = _brokers(folder, nodes, self._passwords)
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._admin: AdminClient | None = None

    @property
    def bootstrap(self) -> str:
        return ",".join(broker.bootstrap for broker in self._brokers.values())

    def access(self, principal: str) -> KafkaAccess:
        return KafkaAccess(
            self.bootstrap, "SASL_PLAINTEXT", username=principal, password=self._passwords[principal]
        )

    def admin(self) -> AdminClient:
        """Return the client that may do everything; it has to outlive what it is asked."""
        if self._admin is None:
            told = {
                "bootstrap.servers": self.bootstrap,
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": ROOT,
                "sasl.password": self._passwords[ROOT],
                "log_level": 0,
            }
            self._admin = AdminClient(told)
        return self._admin

    def start(self, nodes: Sequence[int] | None = None) -> None:
        """Start nodes, all of them by default, and return once each of them accepts connections."""
        nodes = [*self._brokers] if nodes is None else nodes
        for node in nodes:
            broker = self._brokers[node]
            broker.prepare()
            self._processes[node] = subprocess.Popen(broker.command(), stdout=subprocess.DEVNULL)
        for node in nodes:
            wait_until_open(self._brokers[node], self._processes[node], within_s=90)

    def kill(self, node: int) -> None:
        """End a node as a power cut would."""
        process = self._processes.pop(node)
        process.kill()
        process.wait()

    def allow(self) -> None:
        """Give each principal what the table says, and nobody anything else."""
        done = self.admin().create_acls([_binding(each) for each in acls()], request_timeout=ADMIN_WITHIN_S)
        for future in done.values():
            future.result()

    def leaders(self) -> dict[Place, int]:
        """Return which node leads each partition; -1 where none does."""
        topics = self.admin().list_topics(timeout=ADMIN_WITHIN_S).topics
        return {
            (name, number): partition.leader
            for name, topic in topics.items()
            for number, partition in topic.partitions.items()
        }

    def is_whole(self) -> bool:
        """Say whether every partition has a leader and all its copies in step."""
        topics = self.admin().list_topics(timeout=ADMIN_WITHIN_S).topics
        every = [partition for topic in topics.values() for partition in topic.partitions.values()]
        return bool(every) and all(
            each.leader != -1 and len(each.isrs) == len(each.replicas) for each in every
        )

    def until_whole(self, within_s: float = 60.0) -> float:
        """Wait for it; return how long that took.

        Raises:
            TimeoutError: A copy is still behind.
        """
        began_s = time.monotonic()
        while not self.is_whole():
            if time.monotonic() - began_s > within_s:
                raise TimeoutError("the copies of some partition are still not in step")
            time.sleep(0.25)
        return time.monotonic() - began_s

    def until_led(self, leaders: Mapping[Place, int], within_s: float) -> None:
        """Wait until these nodes lead these partitions.

        Raises:
            TimeoutError: Another one still leads some of them.
        """
        until_s = time.monotonic() + within_s
        while {place: self.leaders().get(place) for place in leaders} != leaders:
            if time.monotonic() > until_s:
                raise TimeoutError("a node that is back does not lead again")
            time.sleep(0.5)

    def stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()


@contextmanager
def secure_cluster(folder: Path, nodes: Sequence[int] = NODES) -> Iterator[SecureCluster]:
    """Start brokers in a fresh folder, with the permissions of ``municipio.acls``; remove all after."""
    shutil.rmtree(folder, ignore_errors=True)
    cluster = SecureCluster(folder, nodes)
    try:
        cluster.start()
        cluster.allow()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _make_passwords(folder: Path) -> dict[str, str]:
    passwords = {name: secrets.token_urlsafe(18) for name in (BROKER, ROOT, *principals(acls()))}
    for name, password in passwords.items():
        write_private(folder / name, password)
    return passwords


def _brokers(folder: Path, nodes: Sequence[int], passwords: dict[str, str]) -> dict[int, Broker]:
    """Return the nodes. What differs from a lone broker is what a production cluster has, but for TLS."""
    host = "127.0.0.1"
    ports = free_ports(2 * len(nodes))
    places = {node: (ports[2 * at], ports[2 * at + 1]) for at, node in enumerate(nodes)}
    voters = ",".join(f"{node}@{host}:{controller}" for node, (_, controller) in places.items())
    identity = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    users = [f"SCRAM-SHA-512=[name={name},password={word}]" for name, word in passwords.items()]
    found = {}
    for node, (port, controller) in places.items():
        data = (folder / str(node)).resolve()
        write_private(data / "cluster_id", identity)
        found[node] = Broker(
            data,
            port,
            controller,
            node=node,
            more=_settings(voters, passwords[BROKER], copies=len(nodes)),
            format_options=tuple(word for user in users for word in ("--add-scram", user)),
        )
    return found


def _settings(voters: str, password: str, copies: int) -> dict[str, str]:
    mine = f'username="{BROKER}" password="{password}"'
    return {
        "controller.quorum.voters": voters,
        "listener.security.protocol.map": "BROKER:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
        "listener.name.broker.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.broker.scram-sha-512.sasl.jaas.config": (
            f"{LOGIN}.scram.ScramLoginModule required {mine};"
        ),
        "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
        # Controllers cannot ask the metadata who a user is: they are what holds the metadata.
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": (
            f'{LOGIN}.plain.PlainLoginModule required {mine} user_{BROKER}="{password}";'
        ),
        "sasl.mechanism.controller.protocol": "PLAIN",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": f"User:{BROKER};User:{ROOT}",
        "default.replication.factor": str(copies),
        # A node that is back leads again what it should lead: the second move of each leader in a run.
        "leader.imbalance.check.interval.seconds": "5",
        "leader.imbalance.per.broker.percentage": "1",
        "offsets.topic.replication.factor": str(copies),
        "transaction.state.log.replication.factor": str(copies),
        "share.coordinator.state.topic.replication.factor": str(copies),
    }


async def may_write(kafka: KafkaAccess, topic: str) -> bool:
    """Say whether this principal's record is taken."""
    producer = AIOKafkaProducer(**kafka.client(), request_timeout_ms=60_000)
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"{}", key=b"a")
    except TopicAuthorizationFailedError:
        return False
    finally:
        await producer.stop()
    return True


def _binding(acl: Acl) -> AclBinding:
    kinds = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP, "cluster": ResourceType.BROKER}
    operations = {
        "Read": AclOperation.READ,
        "Write": AclOperation.WRITE,
        "Describe": AclOperation.DESCRIBE,
        "Create": AclOperation.CREATE,
        "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
    }
    pattern = ResourcePatternType.PREFIXED if acl.is_prefix else ResourcePatternType.LITERAL
    return AclBinding(
        kinds[acl.resource],
        acl.name,
        pattern,
        f"User:{acl.principal}",
        "*",
        operations[acl.operation],
        AclPermissionType.ALLOW,
    )
