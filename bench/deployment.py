"""Triage as it is deployed: its own processes, settings from the environment, watched through its tables."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.cost import watch
from bench.ground import Ground
from bench.harness import Measured, NotMeasured
from bench.load import Load, check_changes
from bench.topics import ends, signatures
from municipio.databases import provision
from municipio.keyring import make_keys
from municipio.ports import free_ports
from schemas.fingerprint import MODULUS
from schemas.topics import INCIDENTS, READINGS
from services.runtime.database import Database
from services.triage.tables import change, runtime, sensor

READY_WITHIN_S: Final = 60.0
DONE_WITHIN_S: Final = 240.0
LOOK_EVERY_S: Final = 0.02
GROUPS: Final = ("triage.readings", "triage.decisions", "triage.reports")
SESSION_S: Final = 6.0


@dataclass(frozen=True)
class Deployment:
    """One run's processes and tables; on PostgreSQL the relay is one of its own, as in ``municipio up``."""

    folder: Path
    bootstrap: str
    towns: Path
    database_url: str | None = None
    processes: int = 1

    @property
    def url(self) -> str:
        return self.database_url or f"sqlite:///{self.folder / 'triage.sqlite'}"

    @property
    def database(self) -> Database:
        return Database(self.url, schema="triage")

    @contextmanager
    def running(self) -> Iterator[list[int]]:
        """Start every process; they are told to end, and are gone, when the block ends."""
        make_keys(self.folder / "keys", self.towns)
        with ExitStack() as held:
            started = [self._start(slot, []) for slot in range(self.processes)]
            if self.database_url:
                started.append(self._start(self.processes, ["relay"]))
            held.callback(_end, started)
            yield [each.pid for each in started]

    def _start(self, slot: int, words: Sequence[str]) -> subprocess.Popen[bytes]:
        (port,) = free_ports(1)
        told = {
            "KAFKA_BOOTSTRAP": self.bootstrap,
            "DATA_DIR": str(self.folder),
            "KEYS_DIR": str(self.folder / "keys"),
            "MUNICIPALITIES_DIR": str(self.towns),
            "TRIAGE_DATABASE_URL": self.url,
            "TRIAGE_PORT": str(port),
            "ADMIN_TOKEN": secrets.token_hex(8),
            "SLOT": str(slot),
            "RELAY": "outside" if self.database_url else "inside",
        }
        inherited = {name: text for name, text in os.environ.items() if not name.startswith("MUNICIPIO_")}
        with (self.folder / f"triage-{slot}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "services.triage", *words],
                env=inherited | {f"MUNICIPIO_{name}": text for name, text in told.items()},
                stdout=log,
                stderr=log,
            )


def fold(ground: Ground, loads: Sequence[Load], *, postgres: bool = False, processes: int = 1) -> Measured:
    """Let triage fold all that stands on ``readings``, publish what follows from it, and check every verdict.

    Raises:
        NotMeasured: It did not come to its end, or decided something else than the reference.
    """
    forget_groups(ground.kafka.bootstrap)
    number = ground.kept["folds"] = ground.kept.get("folds", 0) + 1
    folder = ground.folder / f"fold-{number}"
    folder.mkdir()
    url = _provisioned(ground, folder) if postgres else None
    towns = loads[0].town.folder.parent
    deployment = Deployment(folder, ground.kafka.bootstrap, towns, url, processes)
    published = ends(deployment.bootstrap, INCIDENTS.name)
    with deployment.running() as pids:
        return asyncio.run(_watched(deployment, loads, pids, published))


async def _watched(
    deployment: Deployment, loads: Sequence[Load], pids: Sequence[int], published: dict[int, int]
) -> Measured:
    db, count = deployment.database, sum(load.count for load in loads)
    target = sum(ends(deployment.bootstrap, READINGS.name).values())
    try:
        owners = await _until_owned(db, deployment, pids)
        with watch(*pids) as cost:
            before, began_s = await _handled(db), time.monotonic()
            took_s = await _until_done(db, target, began_s, deployment)
        async with db.reading() as conn:
            for load in loads:
                await _check(conn, load)
        await db.close()
    except BaseException:
        _show_logs(deployment.folder)
        raise
    share = (target - before) / target
    signed = signatures(deployment.bootstrap, INCIDENTS.name, published, deployment.folder / "keys")
    return Measured(
        value=count * share / took_s,
        samples=int(count * share),
        cpu_s=cost.cpu_s,
        peak_rss_mb=cost.peak_rss_mb,
        more={"incident_versions": signed, "owners": owners},
    )


async def _until_owned(db: Database, deployment: Deployment, pids: Sequence[int]) -> int:
    """Wait until every process owns partitions of ``readings``; return how many do."""
    until_s = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until_s:
        with suppress(Exception):  # The tables are not there yet.
            owners = await _owners(db)
            if len(owners) == deployment.processes and sum(owners.values()) == READINGS.partitions:
                return len(owners)
        _alive(pids)
        await asyncio.sleep(LOOK_EVERY_S)
    raise NotMeasured("triage was not given its partitions; is there a broker?")


async def _until_done(db: Database, target: int, began_s: float, deployment: Deployment) -> float:
    while time.monotonic() < began_s + DONE_WITHIN_S:
        if await _handled(db) == target and not await _unpublished(db):
            return time.monotonic() - began_s
        await asyncio.sleep(LOOK_EVERY_S)
    raise NotMeasured(f"after {DONE_WITHIN_S:.0f} s {await _handled(db)} of {target} records were folded")


async def _owners(db: Database) -> Counter[str]:
    p = runtime.partition.c
    async with db.reading() as conn:
        rows = await conn.execute(sa.select(p.owner).where(p.topic == READINGS.name))
        return Counter(rows.scalars())


async def _handled(db: Database) -> int:
    p = runtime.partition.c
    async with db.reading() as conn:
        total = sa.select(sa.func.coalesce(sa.func.sum(p.next_offset), 0)).where(p.topic == READINGS.name)
        return int((await conn.execute(total)).scalar_one())


async def _unpublished(db: Database) -> bool:
    o = runtime.outbox.c
    async with db.reading() as conn:
        return (
            await conn.execute(sa.select(o.seq).where(o.published_at.is_(None)).limit(1))
        ).first() is not None


async def _check(conn: AsyncConnection, load: Load) -> None:
    """Hold every reading counted and every condition moved against what was put on the topic."""
    rows = await conn.execute(
        sa.select(sensor.c.count, sensor.c.digest).where(sensor.c.municipality == load.town.id)
    )
    found = [(int(count), int(digest, 16)) for count, digest in rows]
    counted, total = sum(row[0] for row in found), sum(row[1] for row in found) % MODULUS
    if (counted, total) != (load.count, load.fingerprint):
        raise NotMeasured(f"{counted} of {load.count} readings were counted, or others than these")
    bodies = await conn.execute(
        sa.select(change.c.body).where(change.c.municipality == load.town.id, change.c.kind == "condition")
    )
    verdicts: list[dict[str, Any]] = [json.loads(body) for body in bodies.scalars()]
    moved = [
        (row["sensor_id"], row["from"], row["to"], datetime.fromisoformat(row["observed_at"]))
        for row in verdicts
        if row["provisional"] and row["from"] != row["to"]
    ]
    check_changes(load, moved, "triage")


def forget_groups(bootstrap: str) -> None:
    """Make triage begin at the first record again, once the members of its last run are forgotten."""
    admin, until_s = AdminClient({"bootstrap.servers": bootstrap}), time.monotonic() + 4 * SESSION_S
    waiting = set(GROUPS)
    while waiting:
        for group, answer in admin.delete_consumer_groups(sorted(waiting)).items():
            try:
                answer.result()
            except KafkaException as err:
                if err.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
                    continue
            waiting.discard(group)
        if waiting and time.monotonic() > until_s:
            raise NotMeasured(f"still in use: {', '.join(sorted(waiting))}")
        time.sleep(0.2 if waiting else 0)


def _provisioned(ground: Ground, folder: Path) -> str:
    url_file = folder / "triage.url"
    provision(ground.new_database(), {"triage": url_file}, secrets.token_hex(16))
    return url_file.read_text().strip()


def _alive(pids: Sequence[int]) -> None:
    for pid in pids:
        if not Path(f"/proc/{pid}").exists():
            raise NotMeasured("a process of triage ended")


def _end(started: Sequence[subprocess.Popen[bytes]]) -> None:
    for each in started:
        each.send_signal(signal.SIGTERM)
    for each in started:
        try:
            each.wait(20)
        except subprocess.TimeoutExpired:
            each.kill()
            each.wait()


def _show_logs(folder: Path) -> None:
    for log in sorted(folder.glob("triage-*.log")):
        sys.stderr.write(f"{log.name}: {log.read_text(errors='replace')[-1500:]}\n")
