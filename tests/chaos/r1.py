"""R1: every process dies twice in the middle of the load, and nobody must notice."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from municipio.ports import Ports
from municipio.stack import Stack
from services.runtime.clock import TownClock
from tests.chaos.kills import Killer
from tests.chaos.load import Load
from tests.chaos.rest import to_rest
from tests.chaos.script import Script, script
from tests.support.gather import evidence_of
from tests.support.oracle import Evidence, compare, plant_a_loss, read_town
from tests.support.towns import write_town

TOWN = "caos"
GAUGES, RESIDENTS = 200, 5
ROUND_S = 0.75
RATE = 30.0
HORIZON = timedelta(minutes=20)
BEGINS = datetime(2026, 5, 5, 8, 0, tzinfo=UTC)
LEAST_INCIDENTS, LEAST_MESSAGES = 200, 1000
RECOVERED_S_MOST = 60.0
# Ana answers every request whose code is even; the others wait for the resolution. Beto answers pages.
PHONES = [
    {
        "pattern": r"\+50370000001",
        "sms": [{"match": r"[Rr]esponda SI (\d{3}[02468])", "answer": r"SI \1", "after_ms": 15_000}],
    },
    {
        "pattern": r"\+50370000002",
        "sms": [{"match": r"[Rr]esponda (?:SI|OK) (\d{4})", "answer": r"OK \1", "after_ms": 15_000}],
    },
]

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scale:
    """How many readings of each gauge, and how often each process dies."""

    rounds: int
    kills_each: int


SCALES = {"ci": Scale(100, 2), "night": Scale(500, 8)}


def run(database: str, database_url: str | None, folder: Path, seed: int, scale: str) -> Json:
    """Play R1 on one database and return its item of the chaos document."""
    size = SCALES[scale]
    shutil.rmtree(folder, ignore_errors=True)
    municipalities = folder / "municipalities"
    written = write_town(municipalities, TOWN, zones=GAUGES, residents_per_zone=RESIDENTS)
    stack = Stack(
        folder / "data",
        ports=Ports.free(),
        municipalities_dir=municipalities,
        database_url=database_url,
        environment={
            "MUNICIPIO_SMS_SEGMENTS_PER_S": "400",
            "MUNICIPIO_CALLS_PER_S": "100",
            "MUNICIPIO_UNRESOLVED_AFTER_S": "5",
        },
    )
    with stack:
        stack.ready()
        httpx.post(
            f"{stack.urls['carrier']}/_control/phones", json={"rules": PHONES}, trust_env=False
        ).raise_for_status()
        mortal = [name for name in stack.processes if name not in {"kafka", "carrier"}]
        told = script(seed, written.sensors, size.rounds, mortal, size.kills_each)
        say(f"R1 {database}: {len(told.kills)} kills in {GAUGES * told.rounds} readings")
        evidence, killer = asyncio.run(_play(stack, told))
    return _judge(database, evidence, killer, written.folder, told)


async def _play(stack: Stack, told: Script) -> tuple[Evidence, Killer]:
    path = stack.copy.clock_file
    TownClock.write(path, BEGINS, RATE)
    clock = TownClock(path)
    load = Load(stack.urls["ingest"], stack.source_key(TOWN), clock.now)
    killer = Killer(stack)
    began_s = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.play(told, told.rounds * ROUND_S))
        tasks.create_task(killer.play(told.kills, lambda: load.done))
    say(f"   load over after {time.monotonic() - began_s:.0f} s, longest posting {load.longest_wait_s:.1f} s")
    until = await to_rest(stack, HORIZON, RATE)
    say(f"   at rest after {time.monotonic() - began_s:.0f} s")
    gathered = evidence_of(
        stack.client(), stack.urls["carrier"], TOWN, load.accepted, started_at=BEGINS, until=until
    )
    return Evidence.read(gathered), killer


def _judge(database: str, evidence: Evidence, killer: Killer, folder: Path, told: Script) -> Json:
    town = read_town(folder)
    report = compare(evidence, town)
    planted = plant_a_loss(evidence, town, told.seed)
    is_found = planted.is_found(report, town)
    recovered_s = max((seconds for _, seconds in killer.recovered_s), default=0.0)
    is_enough = report.incidents >= LEAST_INCIDENTS and report.messages >= LEAST_MESSAGES
    for what, sentences in report.said.items():
        for sentence in sentences[:10]:
            say(f"   {what}: {sentence}")
    if not is_enough:
        say("   the run was too small to mean anything")
    if not is_found:
        say(f"   the planted loss was not found: {planted.what}")
    counts = report.json()
    names = (
        "lost",
        "lost_readings",
        "lost_verdicts",
        "lost_messages",
        "lost_replies",
        "duplicates",
        "unexpected",
    )
    return {
        "id": "R1",
        "database": database,
        "load": GAUGES * told.rounds,
        "kills": len(killer.recovered_s),
        "incidents": report.incidents,
        "messages": report.messages,
        **{name: counts[name] for name in names},
        "duplicate_pct": round(100 * report.duplicates / max(1, report.messages), 3),
        "recovered_s": round(recovered_s, 1),
        "planted_found": is_found,
        "seed": told.seed,
        "pass": is_enough
        and is_found
        and killer.missed == 0
        and counts["lost"] == counts["duplicates"] == counts["unexpected"] == 0
        and recovered_s <= RECOVERED_S_MOST,
    }


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
