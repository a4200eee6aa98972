"""``python -m tests.chaos.soak --minutes 20``: hours of a town, random faults; nothing lost, nothing grows.

In the first half processes die and restart too; in the second only what they depend on fails, so that memory
and descriptors of the same processes can be followed. Each process is looked at every ten seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import dataclasses
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from municipio.errors import MunicipioError
from municipio.paths import VAR
from tests.chaos.__main__ import INTERRUPTED
from tests.chaos.campaign import Json, Order, Outcome, Scene, Trial, mortal, play, say
from tests.chaos.carrying import follow
from tests.chaos.growth import Growth, Sample, TooFewSamples, growths
from tests.chaos.kills import Killer, is_up
from tests.chaos.r6 import CUT
from tests.chaos.script import Kill
from tests.support.postgres import PostgresCluster, postgres_cluster, run_sql

ROUND_S = 10.0  # Two hundred gauges, each every ten seconds: twenty readings a second.
RATE = 10.0
LOOK_EVERY_S = 10.0
AWAY_S = 8.0
BENT_S = 12.0
PAUSE_S = (4.0, 12.0)
BACK_WITHIN_S = 60.0
DUPLICATE_PCT_MOST = 0.5
# The last part without faults: what is still behind then stays behind.
QUIET_SHARE = 0.9
SERVICES = ("ingest", "triage", "notify", "console")
# Shown, not judged: the heap of the broker fills up to its limit, the fake carrier's ledger is its memory.
NOT_OURS = frozenset({"kafka", "carrier"})

CARRIER_PLANS: Mapping[str, Json] = {
    "R7 busy": {"busy_share": 0.7},
    "R8 ambiguous": {"fail_after_share": 0.05, "hang_after_share": 0.05, "reset_after_share": 0.05},
    "R9 down": {"down": True},
    "R10 callbacks": {
        "callback_drop_share": 0.3,
        "callback_double_share": 0.3,
        "callback_late_share": 0.5,
        "callback_late_s_max": 60.0,
    },
}

Fault = Callable[[Scene, random.Random], Awaitable[None]]


async def _kill(scene: Scene, draw: random.Random) -> None:
    killer = Killer(scene.stack)
    await killer.play([Kill(draw.choice(mortal(scene.stack)), 0.0)], lambda: 1.0)
    if killer.missed:
        raise RuntimeError("a killed process did not come back")


async def _restart(scene: Scene, draw: random.Random) -> None:
    process = draw.choice(mortal(scene.stack))
    await asyncio.to_thread(scene.stack.stop_process, process)
    await asyncio.to_thread(scene.stack.start_process, process)
    if not await is_up(scene.stack, process, BACK_WITHIN_S):
        raise RuntimeError(f"{process} did not come back")


async def _no_broker(scene: Scene, _: random.Random) -> None:
    await asyncio.to_thread(scene.stack.stop_broker)
    await asyncio.sleep(AWAY_S)
    await asyncio.to_thread(scene.stack.start_broker)


async def _no_database(scene: Scene, _: random.Random) -> None:
    cluster = _cluster(scene)
    await asyncio.to_thread(cluster.stop)
    await asyncio.sleep(AWAY_S)
    await asyncio.to_thread(cluster.start)


async def _cut(scene: Scene, _: random.Random) -> None:
    await run_sql(_cluster(scene).url, CUT)


def _bends(plan: Json) -> Fault:
    async def bend(scene: Scene, draw: random.Random) -> None:
        carrier = scene.stack.urls["carrier"]
        await follow(carrier, {**plan, "seed": draw.randrange(1_000_000)})
        await asyncio.sleep(BENT_S)
        await follow(carrier, {})

    return bend


def faults(database: str, *, deadly: bool) -> dict[str, Fault]:
    """Return what may happen, by name; R4 and R5 need a cluster of their own and are left to the campaign."""
    found: dict[str, Fault] = {"R3 broker away": _no_broker}
    found |= {name: _bends(plan) for name, plan in CARRIER_PLANS.items()}
    if database == "postgresql":
        found |= {"R6 database away": _no_database, "R6 connections cut": _cut}
    if deadly:
        found |= {"R1 kill -9": _kill, "R2 restart": _restart}
    return found


class Looker:
    """Looks at every process again and again."""

    def __init__(self, scene: Scene) -> None:
        self.samples: list[Sample] = []
        self._scene = scene
        self._client = scene.stack.client()
        self._began_s = time.monotonic()
        self._written: dict[str, int] = {}

    async def go_on(self) -> None:
        due_s = self._began_s
        while True:
            self.samples += await asyncio.to_thread(lambda: list(self.look()))
            due_s += LOOK_EVERY_S
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))

    def look(self) -> Iterator[Sample]:
        at_s = time.monotonic() - self._began_s
        for info in self._scene.stack.info():
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(info.pid)
                connections = _connections(process)
                yield Sample(
                    at_s=at_s,
                    process=info.name,
                    pid=info.pid,
                    rss_mb=process.memory_info().rss / 2**20,
                    descriptors=process.num_fds() - connections,
                    connections=connections,
                    log_bytes=self._logged(info.name, info.log),
                    outbox_s=self._outbox_s(info.name),
                )

    def _logged(self, name: str, log: Path) -> int:
        written = sum(path.stat().st_size for path in log.parent.glob(f"{log.name}*"))
        before, self._written[name] = self._written.get(name, written), written
        return max(0, written - before)

    def _outbox_s(self, name: str) -> float | None:
        if name not in SERVICES:
            return None
        try:
            ages: dict[str, float | None] = self._client.get(name, "/admin/v1/status")["outbox_oldest_s"]
        except MunicipioError:
            return None
        return max((age for age in ages.values() if age is not None), default=0.0)


def _connections(process: psutil.Process) -> int:
    return sum(each.status == psutil.CONN_ESTABLISHED for each in process.net_connections("tcp"))


async def _trouble(scene: Scene) -> Outcome:
    looker, outcome = Looker(scene), Outcome()
    async with _beside(looker.go_on()):
        await _play_faults(scene, outcome)
        while scene.load.done < 1.0:
            await asyncio.sleep(0.5)
    found = _judge(looker.samples, outcome)
    _keep(looker.samples, scene.order.folder.with_name("soak-samples.csv"))
    outcome.facts["growth"] = [dataclasses.asdict(each) for each in found]
    return outcome


async def _play_faults(scene: Scene, outcome: Outcome) -> None:
    counts: dict[str, int] = {}
    while scene.load.done < QUIET_SHARE:
        await asyncio.sleep(scene.draw.uniform(*PAUSE_S))
        # The half begins with the last death well behind: a process needs time to settle.
        possible = faults(scene.order.database, deadly=scene.load.done < 0.4)
        name = scene.draw.choice(sorted(possible))
        say(f"   {scene.load.done:4.0%} {name}")
        await possible[name](scene, scene.draw)
        counts[name] = counts.get(name, 0) + 1
    outcome.fired = sum(counts.values())
    outcome.kills = counts.get("R1 kill -9", 0)
    outcome.facts["faults"] = counts


def _judge(samples: Sequence[Sample], outcome: Outcome) -> list[Growth]:
    ours = [sample for sample in samples if sample.process not in NOT_OURS]
    try:
        found = growths(ours, max(sample.at_s for sample in samples) / 2)
    except TooFewSamples as err:
        outcome.broken.append(str(err))
        return []
    outcome.broken += [growth.sentence() for growth in found if growth.is_too_much]
    return found


def _keep(samples: Sequence[Sample], path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [each.name for each in dataclasses.fields(Sample)])
        writer.writeheader()
        writer.writerows(dataclasses.asdict(sample) for sample in samples)


@contextlib.asynccontextmanager
async def _beside(work: Awaitable[None]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()


def _cluster(scene: Scene) -> PostgresCluster:
    assert scene.order.cluster is not None
    return scene.order.cluster


def _trial(minutes: float) -> Trial:
    rounds = int(minutes * 60 / ROUND_S)
    return Trial(
        "R20",
        _trouble,
        rounds={"ci": rounds},
        round_s=ROUND_S,
        rate=RATE,
        environment={"MUNICIPIO_CARRIER_TIMEOUT_S": "3"},
        duplicate_pct_most=DUPLICATE_PCT_MOST,
    )


def main() -> int:
    asked = _parser().parse_args()
    folder = VAR / "chaos" / "soak"
    # In the background of a script Ctrl-C is ignored; told to end, it cleans up as after Ctrl-C.
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.default_int_handler)
    try:
        with contextlib.ExitStack() as held:
            cluster = held.enter_context(postgres_cluster()) if asked.database == "postgresql" else None
            item = play(Order(asked.database, cluster, folder, asked.seed, "ci"), _trial(asked.minutes))
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        say("   interrupted: all that the soak started was stopped and removed")
        return INTERRUPTED
    if item["pass"]:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({"schema": "municipio/chaos/1", "items": [item], "pass": item["pass"]}), flush=True)
    return 0 if item["pass"] else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="how long the load goes on")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="postgresql")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED", "1")))
    return parser


if __name__ == "__main__":
    sys.exit(main())
