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
from tests.chaos.load import Load
from tests.chaos.privacy import Personal, blind_spots, logs_of, metrics_of, places
from tests.chaos.rest import to_rest
from tests.chaos.script import Script, script
from tests.support.gather import evidence_of
from tests.support.oracle import Evidence, Town, compare, find_mixing, plant_a_loss, read_town
from tests.support.postgres import PostgresCluster
from tests.support.towns import WrittenTown, write_town

TOWN = "caos"
GAUGES, RESIDENTS = 200, 5
# Beside it stands a smaller town with the same gauges, phones and people's ids, whose warnings end soon.
NEIGHBOUR, NEIGHBOUR_GAUGES, NEIGHBOUR_SENDER = "vecina", 10, "+50370000099"
NEIGHBOUR_VALID_HOURS, NEIGHBOUR_RENEW_BEFORE_MIN = 0.2, (8, 3)
SURNAME = "Ixtacuy"
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
        away_s: Longest that the fault itself keeps something away, by scale: warnings may end so much late.
        trouble: Runs beside the load, and ends when what it hurt is whole again.
        afterwards: Runs once all is at rest, before the evidence is gathered.
        look: Says what else the evidence shows to be broken.
        replicas: How many further replicas of a service can be started, on PostgreSQL.
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
    replicas: Mapping[str, int] = field(default_factory=dict)
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
    with stack:
        stack.ready()
        httpx.post(
            f"{stack.urls['carrier']}/_control/phones", json={"rules": list(trial.phones)}, trust_env=False
        ).raise_for_status()
        rounds, kills_each = trial.rounds[order.scale], trial.kills_each[order.scale]
        told = script(order.seed, written.sensors, rounds, mortal(stack), kills_each)
        say(f"{trial.id} {order.database}: {GAUGES * told.rounds} readings")
        run = asyncio.run(_play(order, trial, stack, (written, told), neighbour))
        metrics = metrics_of(stack)
    return _judge(order, trial, run, logs_of(stack, order.cluster) | metrics)


@dataclass(slots=True)
class _Run:
    """What a played fault left behind; evidence and towns by name, the town under trial first."""

    evidences: dict[str, Evidence]
    towns: dict[str, Town]
    outcome: Outcome


async def _play(
    order: Order, trial: Trial, stack: Stack, under_trial: tuple[WrittenTown, Script], neighbour: WrittenTown
) -> _Run:
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
    outcome = trouble.result()
    say(f"   load over after {time.monotonic() - began_s:.0f} s, longest posting {load.longest_wait_s:.1f} s")
    until = await to_rest(stack, trial.horizon, trial.rate)
    if trial.afterwards is not None:
        await trial.afterwards(scene, outcome)
    say(f"   at rest after {time.monotonic() - began_s:.0f} s")
    held_up_s = trial.rate * (trial.away_s[order.scale] + max(outcome.recovered_s, default=0.0))
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
    towns = {each.id: read_town(each.folder) for each in (town, neighbour)}
    return _Run(evidences, towns, outcome)


async def _outcome(trial: Trial, scene: Scene) -> Outcome:
    return await trial.trouble(scene)


def _personal(run: _Run, written: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return where something personal stands, and what would not have been seen."""
    phones = [
        phone for town in run.towns.values() for phone in (*town.people.values(), *town.residents.values())
    ]
    ledger = run.evidences[TOWN].ledger
    texts = [row["text"] for row in ledger if row["kind"] in {"message", "call"} and row.get("text")]
    personal = Personal.of(phones, [SURNAME], texts)
    unseen = blind_spots(personal, phones[-1], f"Ana {SURNAME}", max(texts, key=len, default=""))
    return places(written, personal), unseen


def _judge(order: Order, trial: Trial, run: _Run, written: Mapping[str, str]) -> Json:
    evidence, town, outcome = run.evidences[TOWN], run.towns[TOWN], run.outcome
    reports = {name: compare(each, run.towns[name]) for name, each in run.evidences.items()}
    report = reports[TOWN]
    planted = plant_a_loss(evidence, town, order.seed)
    is_found = planted.is_found(report, town)
    mixing = find_mixing(run.evidences, run.towns)
    shown, unseen = _personal(run, written)
    broken = [*outcome.broken, *trial.look(evidence)]
    for name, each in reports.items():
        for what, sentences in each.said.items():
            for sentence in sentences[:10]:
                say(f"   {name}: {what}: {sentence}")
    broken += [f"towns mix: {sentence}" for sentence in mixing[:10]]
    broken += [f"something personal stands in {place}" for place in shown[:10]]
    broken += [f"{what} in a log would not have been seen" for what in unseen]
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
    names = (
        "lost",
        "lost_readings",
        "lost_verdicts",
        "lost_messages",
        "lost_replies",
        "duplicates",
        "unexpected",
        "violations",
    )
    counts = {name: sum(getattr(each, name) for each in reports.values()) for name in names}
    messages = sum(each.messages for each in reports.values())
    duplicate_pct = round(100 * counts["duplicates"] / max(1, messages), 3)
    return {
        "id": trial.id,
        "database": order.database,
        "load": sum(len(each.accepted) for each in run.evidences.values()),
        "fired": outcome.fired,
        "kills": outcome.kills,
        "incidents": sum(each.incidents for each in reports.values()),
        "messages": messages,
        **counts,
        "duplicate_pct": duplicate_pct,
        "recovered_s": round(recovered_s, 1),
        "planted_found": is_found,
        "renewals": sum(row.get("purpose") == "renewal" for row in run.evidences[NEIGHBOUR].warnings),
        "mixed": len(mixing),
        "personal": len(shown),
        "log_lines": sum(text.count("\n") for text in written.values()),
        **outcome.facts,
        "broken": broken,
        "seed": order.seed,
        "pass": not broken
        and counts["lost"] == counts["unexpected"] == counts["violations"] == 0
        and duplicate_pct <= trial.duplicate_pct_most,
    }


def mortal(stack: Stack) -> list[str]:
    """Return the names of the town's own processes that run from the start."""
    others = {"kafka", "carrier", *stack.copy.replica_urls}
    return [name for name in stack.processes if name not in others]


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
