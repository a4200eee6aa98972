"""One node of Apache Kafka in KRaft mode, on loopback, from the jars in ``var/kafka/lib``.

``python -m municipio.broker run --data DIR --port P`` formats the folder where needed and becomes Kafka.
"""

from __future__ import annotations

import argparse
import base64
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from municipio.errors import DependencyDown, MunicipioError
from municipio.paths import KAFKA, VAR, write_private
from municipio.ports import free_ports

HEAP_MB = 256
READY_WITHIN_S = 30.0

_LOG4J = """\
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {log}
appender.file.filePattern = {log}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{ISO8601}} %p %c{{1}} %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 3
rootLogger.level = {level}
rootLogger.appenderRef.file.ref = file
"""


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker's folder and ports; the controller listens on ``controller_port``, one above by default.

    Attributes:
        more: Settings beside or instead of those of a lone broker.
        format_options: Further words for formatting the folder, as the first users of a cluster.
    """

    data: Path
    port: int
    controller_port: int
    host: str = "127.0.0.1"
    node: int = 1
    more: Mapping[str, str] = field(default_factory=dict)
    format_options: tuple[str, ...] = ()

    @property
    def bootstrap(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def log(self) -> Path:
        return self.data / "kafka.log"

    def prepare(self) -> None:
        """Write the settings, and format the folder if it never was.

        Raises:
            DependencyDown: Java or the jars are absent, or Kafka refuses the folder.
        """
        self.data.mkdir(parents=True, exist_ok=True)
        write_private(self._settings_file, self._settings())
        self._log4j_file.write_text(_LOG4J.format(log=self.log, level="INFO"))
        if not (self._records / "meta.properties").exists():
            self._format()

    def command(self) -> list[str]:
        """Return the command that becomes the broker; a prepared folder is needed."""
        return [
            *java(),
            f"-Xmx{HEAP_MB}m",
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",
            f"-Dlog4j2.configurationFile={self._log4j_file}",
            "kafka.Kafka",
            str(self._settings_file),
        ]

    @property
    def _records(self) -> Path:
        return self.data / "records"

    @property
    def _settings_file(self) -> Path:
        return self.data / "server.properties"

    @property
    def _log4j_file(self) -> Path:
        return self.data / "log4j2.properties"

    def _settings(self) -> str:
        listen = f"BROKER://{self.host}:{self.port}"
        controller = f"{self.host}:{self.controller_port}"
        settings = {
            "process.roles": "broker,controller",
            "node.id": str(self.node),
            "controller.quorum.voters": f"{self.node}@{controller}",
            "listeners": f"{listen},CONTROLLER://{controller}",
            "advertised.listeners": listen,
            "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "BROKER",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self._records),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "8",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "min.insync.replicas": "2",
            "unclean.leader.election.enable": "false",
            "group.initial.rebalance.delay.ms": "0",
            # Back in 5 s instead of 12 after a kill: the old registration has to expire first.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            **self.more,
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())

    def _format(self) -> None:
        identity = self.data / "cluster_id"
        if not identity.exists():
            identity.write_text(cluster_id(uuid.uuid4().bytes))
        tool = [*java(), "-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool", "format"]
        settings = ["--cluster-id", identity.read_text().strip(), "--config", str(self._settings_file)]
        command = [*tool, *settings, *self.format_options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise DependencyDown(f"Kafka cannot format {self._records}: {' '.join(last)}")


def broker_at(data: Path, port: int, controller_port: int | None = None) -> Broker:
    return Broker(data.resolve(), port, controller_port or port + 1)


def cluster_id(drawn: bytes) -> str:
    """Return sixteen drawn bytes as Kafka names a cluster. A dash in front would be read as an option."""
    return base64.urlsafe_b64encode(drawn).decode().rstrip("=").replace("-", "_")


def java() -> list[str]:
    """Return ``java`` with Kafka's class path.

    Raises:
        DependencyDown: Java is not installed or Kafka was never fetched.
    """
    program = shutil.which("java")
    if program is None:
        raise DependencyDown("Kafka needs Java 17 or newer; install openjdk-17-jre-headless and try again.")
    jars = sorted(str(jar) for jar in (KAFKA / "lib").glob("*.jar"))
    if not jars:
        raise DependencyDown(f"Kafka is not in {KAFKA / 'lib'}; run make setup.")
    return [program, *_class_archive(), "-cp", os.pathsep.join(jars)]


def wait_until_open(
    broker: Broker, process: subprocess.Popen[bytes], within_s: float = READY_WITHIN_S
) -> None:
    """Wait until the broker accepts connections.

    Raises:
        DependencyDown: The process ended, or the time is over.
    """
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if process.poll() is not None:
            raise DependencyDown(
                f"Kafka ended with code {process.returncode}; the reason is in {broker.log}."
            )
        if is_open(broker.host, broker.port):
            return
        time.sleep(0.05)
    raise DependencyDown(
        f"Kafka did not listen on {broker.bootstrap} within {within_s:.0f} s; see {broker.log}."
    )


def is_open(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False


def _class_archive() -> list[str]:
    """Return the flags that load Kafka's classes from one archive: a start in half the time."""
    archive = KAFKA / "classes.jsa"
    return (
        [f"-XX:SharedArchiveFile={archive}", "-Xlog:disable", "-Xlog:all=error:stderr"]
        if archive.exists()
        else []
    )


def _archive_classes() -> None:
    """Run a broker once so that the JVM writes its class archive; a JVM that cannot goes without."""
    archive = KAFKA / "classes.jsa"
    archive.unlink(missing_ok=True)
    draft = archive.with_suffix(".new")
    with tempfile.TemporaryDirectory(dir=KAFKA) as folder:
        broker = broker_at(Path(folder), *free_ports(2))
        broker.prepare()
        command = broker.command()
        command.insert(1, f"-XX:ArchiveClassesAtExit={draft}")
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                wait_until_open(broker, process)
            finally:
                process.send_signal(signal.SIGTERM)
    if draft.exists():
        draft.replace(archive)


def _run(data: Path, port: int, controller_port: int | None) -> None:
    broker = broker_at(data, port, controller_port)
    broker.prepare()
    command = broker.command()
    os.execv(command[0], command)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m municipio.broker", description=__doc__)
    parser.add_argument("action", choices=["run", "archive"])
    parser.add_argument("--data", type=Path, default=VAR / "data" / "kafka", help="folder of the broker")
    parser.add_argument("--port", type=int, default=9092)
    parser.add_argument("--controller-port", type=int, default=None)
    chosen = parser.parse_args(arguments)
    try:
        if chosen.action == "archive":
            _archive_classes()
        else:
            _run(chosen.data, chosen.port, chosen.controller_port)
    except MunicipioError as err:
        print(err, file=sys.stderr)
        return err.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
