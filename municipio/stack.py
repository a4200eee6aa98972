"""One whole copy of the town as a value: start it, wait for it, hurt it, stop it.

    with Stack(data_dir, ports=Ports.free()) as stack:
        stack.ready()
        stack.kill("triage")

Copies on other folders and other ports share nothing.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from municipio.client import Client
from municipio.context import secret
from municipio.errors import DependencyDown, MunicipioError
from municipio.kafka import settings_of
from municipio.keyring import SERVICES, make_keys, source_key_file
from municipio.paths import MUNICIPALITIES, write_private
from municipio.ports import Ports
from municipio.programs import Copy, database_url_file, environment, inherited_environment, programs
from municipio.scene import write_scene
from municipio.supervision import ProcessInfo, Supervision
from services.runtime.kafka_access import KafkaAccess
from services.runtime.settings import RuntimeSettings

READY_WITHIN_S: Final = 120.0
WRONG_SETTING: Final = 2


class Stack:
    """Broker, services, doors and fake carrier of one copy, under one process manager.

    Attributes:
        copy: Folder, ports, towns and URLs.
        topic_differences: After ``ready``: what stands otherwise on the cluster than the table says.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        ports: Ports | None = None,
        municipalities_dir: Path = MUNICIPALITIES,
        database_url: str | None = None,
        kafka_bootstrap: str | None = None,
        kafka_logins: Path | None = None,
        town_clock: bool = True,
        carrier: bool = True,
        carrier_options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        further: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self.copy = Copy(
            data_dir.resolve(),
            ports or Ports.from_base(),
            municipalities_dir.resolve(),
            database_url,
            kafka_bootstrap,
            kafka_logins,
            town_clock,
            carrier,
            carrier_options,
            environment or {},
            further or {},
        )
        self.topic_differences: list[str] = []
        self._supervision = Supervision(programs(self.copy), self.copy.data / "supervisor", self.copy.logs)
        self._lock: int | None = None
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="topics")
        self._topics: Future[list[str]] | None = None

    @property
    def urls(self) -> dict[str, str]:
        return self.copy.urls

    @property
    def bootstrap(self) -> str:
        return self.copy.bootstrap

    @property
    def kafka(self) -> KafkaAccess:
        """How whoever keeps the topics reaches the cluster."""
        return self._kafka_settings().kafka

    @property
    def processes(self) -> list[str]:
        """Names of all processes: kafka, carrier, the services, door, and relays on PostgreSQL."""
        return self._supervision.names

    @property
    def admin_token(self) -> str:
        return secret("ADMIN_TOKEN", self.copy.keys / "admin_token")

    def source_key(self, municipality: str) -> str:
        """Return the API key with which the demo source of a municipality posts its readings."""
        return source_key_file(self.copy.keys, municipality).read_text().strip()

    def client(self) -> Client:
        """Return a client of the services' administration."""
        return Client(self.urls, self.admin_token)

    def start(self) -> None:
        """Take the folder and the ports, make what keys are missing, and start every process at once.

        Raises:
            DependencyDown: Folder or ports are in use, or Java, Kafka or the database is absent.
        """
        self._take_folder()
        try:
            self._prepare()
            self._supervision.start(environment(self.copy, inherited_environment()))
        except BaseException:
            self.stop()
            raise
        self._topics = self._threads.submit(_topics_when_up, self._kafka_settings())
        if self.copy.carrier:
            write_scene(self.copy.municipalities, self.copy.people_file, self.copy.scene_file)
        self._announce()

    def ready(self, within_s: float = READY_WITHIN_S) -> None:
        """Wait until every process does its work and each town has a source that may post readings.

        Raises:
            DependencyDown: A process refuses its settings, or the time is over; says which one and why.
        """
        until = time.monotonic() + within_s
        waiting = list(self.urls)
        client = self.client()
        while waiting or (self._topics and not self._topics.done()):
            waiting = [name for name in waiting if not client.answers(name, _ready_path(name))]
            if waiting:
                self._fail_early()
            if time.monotonic() > until:
                raise DependencyDown(self._why_not(waiting or ["topics"]))
            time.sleep(0.05)
        self.topic_differences = self._topics.result() if self._topics else []
        self._make_source_keys()

    def info(self) -> list[ProcessInfo]:
        return self._supervision.processes()

    def pids(self, process: str) -> list[int]:
        """Return the pid of a process by its name; empty while it does not run."""
        return [info.pid for info in self.info() if info.name == process and info.pid]

    def kill(self, process: str) -> int:
        """End a process with -9; the manager starts it again. Returns its pid, 0 if it did not run."""
        return self._supervision.kill(process)

    def stop_process(self, process: str) -> None:
        """Stop a process and leave it stopped until ``start_process``."""
        self._supervision.stop_process(process)

    def start_process(self, process: str) -> None:
        self._supervision.start_process(process)

    def stop_broker(self) -> None:
        self.stop_process("kafka")

    def start_broker(self) -> None:
        self.start_process("kafka")

    def log(self, process: str) -> Path:
        return self._supervision.log(process)

    def is_running(self) -> bool:
        return self._supervision.is_running()

    def stop(self) -> None:
        """Stop all that was started; no process, lock or socket stays. Harmless when nothing runs."""
        if self._lock is None:
            return
        self._supervision.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)
        for left in [*self.copy.data.glob("*.lock"), self.copy.data / "up.json"]:
            left.unlink(missing_ok=True)
        os.close(self._lock)
        self._lock = None

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _kafka_settings(self) -> RuntimeSettings:
        return settings_of(self.bootstrap, self.copy.extra, self.copy.kafka_logins)

    def _take_folder(self) -> None:
        self.copy.data.mkdir(parents=True, exist_ok=True)
        path = self.copy.data / "up.lock"
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as err:
            holder = path.read_text().strip() or "?"
            os.close(lock)
            raise DependencyDown(
                f"{self.copy.data} is in use by another `municipio up` (process {holder}); "
                "stop it, or give this one another --data and --base-port."
            ) from err
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        self._lock = lock

    def _prepare(self) -> None:
        taken = self.copy.ports.taken(self.copy.used_ports)
        if taken:
            raise DependencyDown(
                f"Ports are in use: {', '.join(taken)}; stop what listens there, or give --base-port."
            )
        if not self.copy.kafka_bootstrap:
            from municipio.broker import java

            java()
        make_keys(self.copy.keys, self.copy.municipalities)
        if self.copy.town_clock and not self.copy.clock_file.exists():
            from datetime import UTC, datetime

            from services.runtime.clock import TownClock

            TownClock.write(self.copy.clock_file, datetime.now(UTC))
        if self.copy.database_url:
            from municipio.databases import provision

            files = {name: database_url_file(self.copy, name) for name in SERVICES}
            provision(self.copy.database_url, files, (self.copy.keys / "database_secret").read_text())

    def _announce(self) -> None:
        """Leave a note by which other commands find this copy."""
        note: dict[str, Any] = {
            "schema": "municipio/up/1",
            "pid": os.getpid(),
            "urls": self.urls,
            "kafka_bootstrap": self.bootstrap,
            "database": "postgresql" if self.copy.database_url else "sqlite",
            "town_clock_file": str(self.copy.clock_file) if self.copy.town_clock else None,
            "municipalities_dir": str(self.copy.municipalities),
        }
        write_private(self.copy.data / "up.json", json.dumps(note, indent=2) + "\n")

    def _make_source_keys(self) -> None:
        for folder in sorted(self.copy.municipalities.glob("*/municipality.yaml")):
            town = folder.parent.name
            path = source_key_file(self.copy.keys, town)
            if not path.exists():
                made = self.client().post("ingest", "/admin/v1/keys", {"municipality": town, "name": "demo"})
                write_private(path, str(made["key"]))

    def _fail_early(self) -> None:
        if not self.is_running():
            raise DependencyDown(f"The process manager ended; see {self.copy.data / 'supervisor'}.")
        for info in self.info():
            if info.exit_code == WRONG_SETTING and info.state in {"BACKOFF", "FATAL", "EXITED"}:
                raise DependencyDown(f"{info.name} does not start: {last_line(info.log)}")

    def _why_not(self, waiting: list[str]) -> str:
        said = "; ".join(f"{name}: {last_line(self.log(name))}" for name in waiting if name in self.processes)
        return f"Not ready in time: {', '.join(waiting)} ({said or 'no log'}); see {self.copy.logs}."


def _ready_path(name: str) -> str:
    """Return the path that says whether a process does its work."""
    return "/_control" if name == "carrier" else "/readyz"


def last_line(log: Path) -> str:
    """Return the last line a process wrote, or that it wrote nothing."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1][:300] if lines else "it wrote nothing"


def _topics_when_up(settings: RuntimeSettings) -> list[str]:
    return asyncio.run(_ensure(settings.kafka, settings.kafka_replicas, READY_WITHIN_S))


async def _ensure(kafka: KafkaAccess, replicas: int | None, within_s: float) -> list[str]:
    from aiokafka.errors import KafkaError

    from municipio.topics import ensure_topics

    host, _, port = kafka.bootstrap.split(",", maxsplit=1)[0].rpartition(":")
    until = time.monotonic() + within_s
    while True:
        try:
            _reader, writer = await asyncio.open_connection(host, int(port))
            writer.close()
            return await ensure_topics(kafka, replicas)
        except (OSError, KafkaError, MunicipioError) as err:
            if time.monotonic() > until:
                raise DependencyDown(f"Kafka does not answer on {kafka.bootstrap}: {err}") from err
            await asyncio.sleep(0.1)
