"""The negative control: R1 and R8 against a chain with the framework's defaults and the stock carrier client.

It passes only when the same oracle sees what that chain loses or repeats.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from municipio.errors import DependencyDown
from municipio.ports import free_ports
from municipio.supervision import Program, Supervision
from tests.chaos.campaign import Json, Order, say
from tests.chaos.carrying import follow
from tests.chaos.control import evidence
from tests.chaos.control.chain import INCIDENTS, READINGS
from tests.chaos.load import Load
from tests.chaos.script import Kill, Script, script
from tests.support.gather import carrier_ledger
from tests.support.kafka import kafka_cluster
from tests.support.oracle import Report, compare, read_town
from tests.support.towns import WrittenTown, write_town

TOWN = "llana"
GAUGES, RESIDENTS = 60, 5
ROUNDS, ROUND_S = 60, 0.5
MOST_M = 3.4
PARTITIONS = 4
LOOK_EVERY_S, CALM_S, DRAINED_WITHIN_S = 0.5, 15.0, 120.0
CONSUMERS, JOINED_AFTER_S = ("triage", "notify"), 3.0
SHARES = {"fail_after_share": 0.05, "hang_after_share": 0.05, "reset_after_share": 0.05, "hang_s": 3.0}


@dataclass(frozen=True, slots=True)
class Part:
    """What of a fault is repeated."""

    fault: str
    kills: Mapping[str, int]
    carrier: Mapping[str, float]


PARTS = (
    Part("R1", {"ingest": 2, "triage": 2, "notify": 2}, {}),
    Part("R8", {"notify": 6}, SHARES),
)


def run(order: Order) -> Json:
    shutil.rmtree(order.folder, ignore_errors=True)
    seen, broken = {}, []
    for part in PARTS:
        report, kills = asyncio.run(_play(order, part))
        seen[part.fault] = {"kills": kills, **_counts(report)}
        say(f"   {part.fault} with the defaults: {seen[part.fault]}")
        for sentences in report.said.values():
            say("".join(f"      {sentence}\n" for sentence in sentences[:3]).rstrip())
        if not report.lost + report.duplicates:
            broken.append(f"{part.fault}: neither a loss nor a duplicate was seen")
    return {
        "id": "control",
        "database": order.database,
        "load": GAUGES * ROUNDS * len(PARTS),
        **{name: sum(each[name] for each in seen.values()) for name in seen["R1"]},
        "duplicate_pct": max(each["duplicate_pct"] for each in seen.values()),
        "recovered_s": 0.0,
        "seen": seen,
        "broken": broken,
        "seed": order.seed,
        "pass": not broken,
    }


def _counts(report: Report) -> Json:
    names = ("incidents", "messages", "lost", "lost_readings", "lost_verdicts", "lost_messages")
    counts: Json = {
        name: getattr(report, name) for name in (*names, "lost_replies", "duplicates", "unexpected")
    }
    return counts | {"duplicate_pct": round(100 * report.duplicates / max(1, report.messages), 3)}


async def _play(order: Order, part: Part) -> tuple[Report, int]:
    folder = order.folder / part.fault
    town = write_town(folder / "municipalities", TOWN, zones=GAUGES, residents_per_zone=RESIDENTS)
    evidence.write_phones(folder, town)
    port, carrier_port = free_ports(2)
    with kafka_cluster(topics=False) as kafka:
        await _create_topics(kafka.bootstrap)
        chain = _chain(folder, port, carrier_port)
        environment = {
            **os.environ,
            "BOOTSTRAP": kafka.bootstrap,
            "PORT": str(port),
            "CARRIER": f"http://127.0.0.1:{carrier_port}",
            "FOLDER": str(folder),
            "TOWN": TOWN,
        }
        try:
            await asyncio.to_thread(chain.start, environment)
            return await _under_load(order, part, chain, town, folder, environment)
        finally:
            chain.stop()


def _chain(folder: Path, port: int, carrier_port: int) -> Supervision:
    python = [sys.executable, "-m"]
    plain = [
        Program(name, [*python, "tests.chaos.control.chain", name]) for name in ("ingest", "triage", "notify")
    ]
    carrier = [*python, "tests.support.fake_twilio", "--port", str(carrier_port)]
    carrier += ["--ledger", str(folder / "carrier.ledger")]
    return Supervision(
        [Program("carrier", carrier, group="carrier"), *plain], folder / "supervisor", folder / "logs"
    )


async def _under_load(
    order: Order,
    part: Part,
    chain: Supervision,
    town: WrittenTown,
    folder: Path,
    environment: Mapping[str, str],
) -> tuple[Report, int]:
    load = Load(f"http://127.0.0.1:{environment['PORT']}", "none", lambda: datetime.now(UTC))
    told = _only_to_action(script(order.seed, town.sensors, ROUNDS, (), 0))
    await _until_up(environment["CARRIER"], folder)
    await follow(environment["CARRIER"], {**part.carrier, "seed": order.seed})
    kills = [
        Kill(name, (number + 1) / (count + 2))
        for name, count in part.kills.items()
        for number in range(count)
    ]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.play(told, ROUNDS * ROUND_S))
        carrier_url = environment["CARRIER"]
        killing = tasks.create_task(_kill(chain, load, sorted(kills, key=lambda kill: kill.at), carrier_url))
    ledger = await _drained(environment["CARRIER"])
    found = evidence.of(folder, load.accepted, ledger, town)
    return compare(found, read_town(town.folder)), killing.result()


def _only_to_action(told: Script) -> Script:
    """Return the script without the level of impact, which the plain chain does not know."""
    series = {gauge: tuple(min(value, MOST_M) for value in values) for gauge, values in told.series.items()}
    return replace(told, series=series)


async def _kill(chain: Supervision, load: Load, kills: list[Kill], carrier_url: str) -> int:
    """Kill each at its share of the load, once something was sent since the last death."""
    killed = sent = 0
    for kill in kills:
        while load.done < kill.at:
            await asyncio.sleep(LOOK_EVERY_S)
        sent = await _more_than(sent, carrier_url)
        killed += bool(await asyncio.to_thread(chain.kill, kill.process))
    return killed


async def _more_than(sent: int, carrier_url: str) -> int:
    until_s = time.monotonic() + CALM_S
    while True:
        now = len(await asyncio.to_thread(carrier_ledger, carrier_url))
        if now > sent or time.monotonic() > until_s:
            return now
        await asyncio.sleep(LOOK_EVERY_S)


async def _create_topics(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    one_copy = {"min.insync.replicas": "1"}
    await admin.create_topics(
        [NewTopic(name, PARTITIONS, 1, topic_configs=one_copy) for name in (READINGS, INCIDENTS)]
    )
    await admin.close()


async def _until_up(carrier_url: str, folder: Path) -> None:
    """Wait for the carrier, and for both consumers: what comes before them, a default group never reads."""
    until_s = time.monotonic() + DRAINED_WITHIN_S
    while True:
        if time.monotonic() > until_s:
            raise DependencyDown("the plain chain did not start")
        try:
            await asyncio.to_thread(carrier_ledger, carrier_url)
            if len(list(folder.glob("*.up"))) == len(CONSUMERS):
                break
        except httpx.TransportError:
            pass  # Not up yet.
        await asyncio.sleep(LOOK_EVERY_S)
    await asyncio.sleep(JOINED_AFTER_S)


async def _drained(carrier_url: str) -> list[dict[str, Any]]:
    """Return the carrier's ledger once it has not grown for a while."""
    until_s = time.monotonic() + DRAINED_WITHIN_S
    ledger, grown_s = await asyncio.to_thread(carrier_ledger, carrier_url), time.monotonic()
    while time.monotonic() < min(until_s, grown_s + CALM_S):
        await asyncio.sleep(LOOK_EVERY_S)
        now = await asyncio.to_thread(carrier_ledger, carrier_url)
        if len(now) > len(ledger):
            ledger, grown_s = now, time.monotonic()
    return ledger
