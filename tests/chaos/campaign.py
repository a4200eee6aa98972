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

from municipio.ports import Ports, free_ports
from municipio.stack import Stack
from services.runtime.clock import TownClock
from tests.chaos.deciding import decide_again_and_again
from tests.chaos.judging import Run, judge
from tests.chaos.load import Load
from tests.chaos.privacy import logs_of, metrics_of
from tests.chaos.rest import taken_up, to_rest
from tests.chaos.script import Script, script
from tests.support.gather import evidence_of
from tests.support.oracle import Evidence, read_town
from tests.support.postgres import PostgresCluster
from tests.support.towns import WrittenTown, write_town

TOWN = "caos"
GAUGES, RESIDENTS = 200, 4
# Beside it stands a smaller town with the same gauges, phones and people's ids, whose warnings end soon:
# a person is asked 14 minutes before, and the rule renews them ten minutes before.
NEIGHBOUR, NEIGHBOUR_GAUGES, NEIGHBOUR_SENDER = "vecina", 10, "+50370000099"
NEIGHBOUR_VALID_HOURS, NEIGHBOUR_RENEW_BEFORE_MIN = 1 / 3, (14, 10)
SURNAME = "Ixtacuy"
RATE = 30.0
HORIZON = timedelta(minutes=16)
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
        away_s: Longest that the fault itself keeps something away, by scale, before ``recovered_s`` begins.
        trouble: Runs beside the load, and ends when what it hurt is whole again.
        calm: Runs once all of the load was taken up: ends what would hold up every later step of the clock.
        afterwards: Runs once all is at rest, before the evidence is gathered.
        look: Says what else the evidence shows to be broken.
        with_decisions: Whether somebody corrects and lifts the neighbouring town's warnings meanwhile.
        replicas: How many further replicas of a service can be started, on PostgreSQL.
        rounds: Postings of every gauge, by scale.
        deaths: How many deaths by -9 are drawn, by scale; ``trouble`` plays them.
        duplicate_pct_most: Copies beyond the first, in per cent of the messages.
        stack: Makes the copy; for what ``Stack``'s own arguments do not say.
    """

    id: str
    trouble: Callable[[Scene], Awaitable[Outcome]]
    rounds: Mapping[str, int] = field(default_factory=lambda: {"ci": 50, "night": 500})
    round_s: float = 0.75
    deaths: Mapping[str, int] = field(default_factory=lambda: {"ci": 0, "night": 0})
    environment: Mapping[str, str] = field(default_factory=dict)
    carrier_options: Sequence[str] = ()
    replicas: Mapping[str, int] = field(default_factory=dict)
    with_decisions: bool = False
    phones: Sequence[Json] = tuple(PHONES)
    duplicate_pct_most: float = 0.0
    recovered_s_most: float = RECOVERED_S_MOST
    least_incidents: int = LEAST_INCIDENTS
    least_messages: int = LEAST_MESSAGES
    horizon: timedelta = HORIZON
    rate: float = RATE
    away_s: Mapping[str, float] = field(default_factory=lambda: {"ci": 20.0, "night": 600.0})
    kafka_bootstrap: Callable[[Order], str | None] = lambda _: None
    kafka_logins: Path | None = None
    calm: Callable[[Scene, Outcome], Awaitable[None]] | None = None
    afterwards: Callable[[Scene, Outcome], Awaitable[None]] | None = None
    look: Callable[[Evidence], list[str]] = lambda _: []


def play(order: Order, trial: Trial) -> Json:
    """Play a fault on one database and return its item of the chaos document."""
    shutil.rmtree(order.folder, ignore_errors=True)
    municipalities = order.folder / "municipalities"
    written = write_town(municipalities, TOWN, zones=GAUGES, residents_per_zone=RESIDENTS, surname=SURNAME)
    neighbour = write_town(
        municipalities,
        NEIGHBOUR,
        zones=NEIGHBOUR_GAUGES,
        residents_per_zone=RESIDENTS,
        surname=SURNAME,
        sender=NEIGHBOUR_SENDER,
        valid_hours=NEIGHBOUR_VALID_HOURS,
        renew_before_min=NEIGHBOUR_RENEW_BEFORE_MIN,
    )
    stack = Stack(
        order.folder / "data",
        ports=Ports.free(),
        municipalities_dir=municipalities,
        database_url=order.cluster.url if order.cluster else None,
        kafka_bootstrap=trial.kafka_bootstrap(order),
        kafka_logins=trial.kafka_logins,
        carrier_options=trial.carrier_options,
        environment=ENVIRONMENT | dict(trial.environment),
        further={service: free_ports(count) for service, count in trial.replicas.items()},
    )
    began_s = time.monotonic()
    with stack:
        stack.ready()
        say(f"   ready after {time.monotonic() - began_s:.0f} s")
        httpx.post(
            f"{stack.urls['carrier']}/_control/phones", json={"rules": list(trial.phones)}, trust_env=False
        ).raise_for_status()
        rounds, deaths = trial.rounds[order.scale], trial.deaths[order.scale]
        told = script(order.seed, written.sensors, rounds, mortal(stack), deaths)
        say(f"{trial.id} {order.database}: {GAUGES * told.rounds} readings")
        evidences, outcome = asyncio.run(_play(order, trial, stack, (written, told), neighbour))
        metrics = metrics_of(stack)
    towns = {each.id: read_town(each.folder) for each in (written, neighbour)}
    run = Run(evidences, towns, outcome, logs_of(stack, order.cluster) | metrics, SURNAME)
    item, sentences = judge(order, trial, run)
    for sentence in sentences:
        say(f"   {sentence}")
    return item


async def _play(
    order: Order, trial: Trial, stack: Stack, under_trial: tuple[WrittenTown, Script], neighbour: WrittenTown
) -> tuple[dict[str, Evidence], Outcome]:
    town, told = under_trial
    path = stack.copy.clock_file
    TownClock.write(path, BEGINS, trial.rate)
    clock = TownClock(path)
    load = Load(stack.urls["ingest"], stack.source_key(TOWN), clock.now)
    beside = Load(stack.urls["ingest"], stack.source_key(NEIGHBOUR), clock.now)
    their_script = script(order.seed + 1000, neighbour.sensors, told.rounds, (), 0)
    scene = Scene(order, stack, town, told, load, clock, random.Random(f"{trial.id} {order.seed}"))
    began_s = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.play(told, told.rounds * trial.round_s))
        tasks.create_task(beside.play(their_script, told.rounds * trial.round_s))
        trouble = tasks.create_task(_outcome(trial, scene))
        if trial.with_decisions:
            deciding = tasks.create_task(decide_again_and_again(stack.client(), NEIGHBOUR))
            await trouble
            await scene.load_at(1.0)
            deciding.cancel()
    outcome = trouble.result()
    say(f"   load over after {time.monotonic() - began_s:.0f} s, longest posting {load.longest_wait_s:.1f} s")
    await taken_up(stack)
    say(f"   taken up after {time.monotonic() - began_s:.0f} s")
    if trial.calm is not None:
        await trial.calm(scene, outcome)
    until = await to_rest(stack, trial.horizon)
    if trial.afterwards is not None:
        await trial.afterwards(scene, outcome)
    say(f"   at rest after {time.monotonic() - began_s:.0f} s")
    held_up_s = trial.rate * excused_s(trial, order.scale, outcome)
    evidences = {
        name: Evidence.read(
            evidence_of(
                stack.client(),
                stack.urls["carrier"],
                name,
                accepted,
                started_at=BEGINS,
                until=until,
                held_up_s=held_up_s,
            )
        )
        for name, accepted in ((TOWN, load.accepted), (NEIGHBOUR, beside.accepted))
    }
    return evidences, outcome


async def _outcome(trial: Trial, scene: Scene) -> Outcome:
    return await trial.trouble(scene)


def excused_s(trial: Trial, scale: str, outcome: Outcome) -> float:
    """Return for how many real seconds a warning may have ended before its renewal.

    The rule renews it some time before its end. Only what the fault took beyond that is excused, by the
    seconds that the fault itself measured: a machine or a service that is slow never is.
    """
    ahead_s = 60 * NEIGHBOUR_RENEW_BEFORE_MIN[1] / trial.rate
    return max(0.0, trial.away_s[scale] + max(outcome.recovered_s, default=0.0) - ahead_s)


def mortal(stack: Stack) -> list[str]:
    """Return the names of the town's own processes that run from the start."""
    others = {"kafka", "carrier", *stack.copy.replica_urls}
    return [name for name in stack.processes if name not in others]


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
