"""A real Apache Kafka for tests: one node, its own ports and folder, that can be stopped, killed, wiped."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from municipio.broker import Broker, broker_at, wait_until_open
from municipio.errors import DependencyDown
from municipio.ports import free_ports
from municipio.topics import ensure_topics
from services.runtime.kafka_access import KafkaAccess

OUTSIDE = "MUNICIPIO_KAFKA_BOOTSTRAP"
START_WITHIN_S = 90.0  # of a machine that runs several at a time


class KafkaCluster:
    """One broker. ``outside`` marks a cluster that is not ours and can neither be stopped nor killed."""

    def __init__(self, broker: Broker | None, bootstrap: str) -> None:
        self._broker = broker
        self._process: subprocess.Popen[bytes] | None = None
        self.bootstrap = bootstrap

    @property
    def outside(self) -> bool:
        return self._broker is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the broker and return once it accepts connections; a running one stays as it is."""
        if self._broker is None or self._process is not None:
            return
        self._broker.prepare()
        self._process = subprocess.Popen(self._broker.command(), stdout=subprocess.DEVNULL)
        wait_until_open(self._broker, self._process, within_s=START_WITHIN_S)

    def stop(self, *, within_s: float = 15.0) -> None:
        """Ask the broker to end, as an operator would."""
        self._end(signal.SIGTERM, within_s)

    def kill(self) -> None:
        """End the broker as a power cut would."""
        self._end(signal.SIGKILL, 5.0)

    def wipe(self) -> None:
        """Forget every record and topic of a stopped broker."""
        assert self._process is None, "stop the broker first"
        if self._broker is not None:
            shutil.rmtree(self._broker.data / "records", ignore_errors=True)

    def create_topics(self) -> list[str]:
        return asyncio.run(ensure_topics(KafkaAccess(self.bootstrap)))

    def _end(self, how: signal.Signals, within_s: float) -> None:
        assert self._broker is not None, "a cluster from outside is not ours to stop"
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


@contextmanager
def kafka_cluster(*, topics: bool = True) -> Iterator[KafkaCluster]:
    """Start a fresh broker with every topic; ``MUNICIPIO_KAFKA_BOOTSTRAP`` names another cluster instead."""
    outside = os.environ.get(OUTSIDE)
    folder = Path(tempfile.mkdtemp(prefix="kafka-"))
    port, controller = free_ports(2)
    cluster = (
        KafkaCluster(None, outside)
        if outside
        else KafkaCluster(broker_at(folder, port, controller), f"127.0.0.1:{port}")
    )
    try:
        cluster.start()
        if topics:
            cluster.create_topics()
        yield cluster
    finally:
        if not cluster.outside:
            cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def kafka() -> Iterator[KafkaCluster]:
    """A broker shared by the tests of one module."""
    try:
        with kafka_cluster() as cluster:
            yield cluster
    except DependencyDown as err:
        pytest.fail(f"Kafka is needed here: {err}")
