"""One run of a fault: a town under load, trouble in its middle, rest, and the judgement of the oracle."""

from __future__ import annotations

import asyncio
import random
import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from municipio.ports import Ports
from municipio.stack import Stack
from services.runtime.clock import TownClock
from tests.chaos.load import Load
from tests.chaos.rest import to_rest
from tests.chaos.script import Script, script
from tests.support.gather import evidence_of
from tests.support.oracle import Evidence, compare, plant_a_loss, read_town
from tests.support.postgres import PostgresCluster
from tests.support.towns import WrittenTown, write_town

TOWN = "caos"
GAUGES, RESIDENTS = 200, 5
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
ENVIRONMENT = {
    "MUNICIPIO_SMS_SEGMENTS_PER_S": "400",
    "MUNICIPIO_CALLS_PER_S": "100",
    "MUNICIPIO_UNRESOLVED_AFTER_S": "5",
}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a run. ``cluster`` is the PostgreSQL server, ``None`` on SQLite."""

    database: str
    cluster: PostgresCluster | None
    folder: Path
    seed: int
    scale: str

    @property
    def is_night(self) -> bool:
        return self.scale == "night"


@dataclass(slots=True)
class Outcome:
    """What the trouble did.

    Attributes:
        fired: How often the fault took effect; a run whose fault never did is an error.
        kills: Processes ended with -9.
        recovered_s: Of each outage or death, from the end of the trouble until all was in order.
        broken: Sentences on promises that the oracle does not know of.
        facts: Further figures for the item of the document.
    """

    fired: int = 0
    kills: int = 0
    recovered_s: list[float] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    facts: Json = field(default_factory=dict)


@dataclass(slots=True)
class Scene:
    """A run under way, as the trouble sees it."""

    order: Order
    stack: Stack
    town: WrittenTown
    told: Script
    load: Load
    clock: TownClock
    draw: random.Random

    async def load_at(self, share: float) -> None:
        """Return once this share of the load was posted."""
        while self.load.done < share:
            await asyncio.sleep(0.1)


@dataclass(frozen=True)
class Trial:
    """How a fault is played.

    Attributes:
        trouble: Runs beside the load, and ends when what it hurt is whole again.
        afterwards: Runs once all is at rest, before the evidence is gathered.
        rounds: Postings of every gauge, by scale.
        kills_each: Deaths by -9 drawn for each mortal process, by scale; ``trouble`` plays them.
        duplicate_pct_most: Copies beyond the first, in per cent of the messages.
        stack: Makes the copy; for what ``Stack``'s own arguments do not say.
    """

    id: str
    trouble: Callable[[Scene], Awaitable[Outcome]]
    rounds: Mapping[str, int] = field(default_factory=lambda: {"ci": 60, "night": 500})
    round_s: float = 0.75
    kills_each: Mapping[str, int] = field(default_factory=lambda: {"ci": 0, "night": 0})
    environment: Mapping[str, str] = field(default_factory=dict)
    carrier_options: Sequence[str] = ()
    phones: Sequence[Json] = tuple(PHONES)
    duplicate_pct_most: float = 0.0
    recovered_s_most: float = RECOVERED_S_MOST
    least_incidents: int = LEAST_INCIDENTS
    least_messages: int = LEAST_MESSAGES
    horizon: timedelta = HORIZON
    rate: float = RATE
    kafka_bootstrap: Callable[[Order], str | None] = lambda _: None
    afterwards: Callable[[Scene, Outcome], Awaitable[None]] | None = None


def play(order: Order, trial: Trial) -> Json:
    """Play a fault on one database and return its item of the chaos document."""
    shutil.rmtree(order.folder, ignore_errors=True)
    municipalities = order.folder / "municipalities"
    written = write_town(municipalities, TOWN, zones=GAUGES, residents_per_zone=RESIDENTS)
    stack = Stack(
        order.folder / "data",
        ports=Ports.free(),
        municipalities_dir=municipalities,
        database_url=order.cluster.url if order.cluster else None,
        kafka_bootstrap=trial.kafka_bootstrap(order),
        carrier_options=trial.carrier_options,
        environment=ENVIRONMENT | dict(trial.environment),
    )
    with stack:
        stack.ready()
        httpx.post(
            f"{stack.urls['carrier']}/_control/phones", json={"rules": list(trial.phones)}, trust_env=False
        ).raise_for_status()
        mortal = [name for name in stack.processes if name not in {"kafka", "carrier"}]
        rounds, kills_each = trial.rounds[order.scale], trial.kills_each[order.scale]
        told = script(order.seed, written.sensors, rounds, mortal, kills_each)
        say(f"{trial.id} {order.database}: {GAUGES * told.rounds} readings")
        evidence, outcome = asyncio.run(_play(order, trial, stack, written, told))
    return _judge(order, trial, evidence, outcome, written.folder)


async def _play(
    order: Order, trial: Trial, stack: Stack, town: WrittenTown, told: Script
) -> tuple[Evidence, Outcome]:
    path = stack.copy.clock_file
    TownClock.write(path, BEGINS, trial.rate)
    clock = TownClock(path)
    load = Load(stack.urls["ingest"], stack.source_key(TOWN), clock.now)
    scene = Scene(order, stack, town, told, load, clock, random.Random(f"{trial.id} {order.seed}"))
    began_s = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.play(told, told.rounds * trial.round_s))
        trouble = tasks.create_task(_outcome(trial, scene))
    outcome = trouble.result()
    say(f"   load over after {time.monotonic() - began_s:.0f} s, longest posting {load.longest_wait_s:.1f} s")
    until = await to_rest(stack, trial.horizon, trial.rate)
    if trial.afterwards is not None:
        await trial.afterwards(scene, outcome)
    say(f"   at rest after {time.monotonic() - began_s:.0f} s")
    gathered = evidence_of(
        stack.client(), stack.urls["carrier"], TOWN, load.accepted, started_at=BEGINS, until=until
    )
    return Evidence.read(gathered), outcome


async def _outcome(trial: Trial, scene: Scene) -> Outcome:
    return await trial.trouble(scene)


def _judge(order: Order, trial: Trial, evidence: Evidence, outcome: Outcome, folder: Path) -> Json:
    town = read_town(folder)
    report = compare(evidence, town)
    planted = plant_a_loss(evidence, town, order.seed)
    is_found = planted.is_found(report, town)
    broken = list(outcome.broken)
    for what, sentences in report.said.items():
        for sentence in sentences[:10]:
            say(f"   {what}: {sentence}")
    if report.incidents < trial.least_incidents or report.messages < trial.least_messages:
        broken.append("the run was too small to mean anything")
    if not is_found:
        broken.append(f"the planted loss was not found: {planted.what}")
    if not outcome.fired:
        broken.append("the fault never took effect")
    recovered_s = max(outcome.recovered_s, default=0.0)
    if recovered_s > trial.recovered_s_most:
        broken.append(
            f"recovery took {recovered_s:.1f} s, {trial.recovered_s_most:.0f} s at most are allowed"
        )
    for sentence in broken:
        say(f"   {sentence}")
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
    duplicate_pct = round(100 * report.duplicates / max(1, report.messages), 3)
    return {
        "id": trial.id,
        "database": order.database,
        "load": len(evidence.accepted),
        "fired": outcome.fired,
        "kills": outcome.kills,
        "incidents": report.incidents,
        "messages": report.messages,
        **{name: counts[name] for name in names},
        "duplicate_pct": duplicate_pct,
        "recovered_s": round(recovered_s, 1),
        "planted_found": is_found,
        **outcome.facts,
        "broken": broken,
        "seed": order.seed,
        "pass": not broken
        and counts["lost"] == counts["unexpected"] == 0
        and duplicate_pct <= trial.duplicate_pct_most,
    }


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
