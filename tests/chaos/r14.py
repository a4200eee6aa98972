"""R14: a second and a third replica of triage and of notify join and leave every ten seconds."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator

from schemas.topics import READINGS
from tests.chaos.campaign import Json, Order, Outcome, Scene, Trial, play
from tests.chaos.kills import is_up

EVERY_S = 10.0
READY_WITHIN_S = 30.0
REPLICAS = {"triage": 2, "notify": 2}
# Each of these lines is one batch that is read a second time.
_READ_AGAIN = re.compile(r"consumer\.commit_failed|is owned by another process")


def run(order: Order) -> Json:
    if order.cluster is None:
        raise SystemExit("R14 needs several processes of a service: --databases postgresql")
    return play(order, TRIAL)


async def _joining(scene: Scene) -> Outcome:
    outcome = Outcome()
    running: list[str] = []
    await scene.load_at(0.05)
    for joins, slot in _turns():
        if scene.load.done >= 1:
            break
        next_s = time.monotonic() + EVERY_S
        names = [f"{service}-{slot}" for service in REPLICAS]
        await asyncio.gather(
            *(_join(scene, name, outcome) if joins else _leave(scene, name, outcome) for name in names)
        )
        running = [*running, *names] if joins else [name for name in running if name not in names]
        await asyncio.sleep(max(0.0, next_s - time.monotonic()))
    await asyncio.gather(*(_leave(scene, name, outcome) for name in running))
    again = sum(len(_READ_AGAIN.findall(scene.stack.log(name).read_text())) for name in _members(scene))
    outcome.facts |= {"rebalances": outcome.fired, "read_again": again}
    if again > outcome.fired * READINGS.partitions:
        outcome.broken.append(f"{again} batches were read again in {outcome.fired} rebalances")
    return outcome


def _turns() -> Iterator[tuple[bool, int]]:
    """Yield who is next, and whether it joins: one replica, two, the first leaves, none."""
    while True:
        yield from ((True, 1), (True, 2), (False, 1), (False, 2))


async def _join(scene: Scene, name: str, outcome: Outcome) -> None:
    began_s = time.monotonic()
    await asyncio.to_thread(scene.stack.start_process, name)
    if await is_up(scene.stack, name, READY_WITHIN_S):
        outcome.fired += 1
        outcome.recovered_s.append(time.monotonic() - began_s)
    else:
        outcome.broken.append(f"{name} did not join")


async def _leave(scene: Scene, name: str, outcome: Outcome) -> None:
    await asyncio.to_thread(scene.stack.stop_process, name)
    left = next(info for info in scene.stack.info() if info.name == name)
    outcome.fired += 1
    if left.exit_code != 0:
        outcome.broken.append(f"{name} did not leave in order: exit code {left.exit_code}")


def _members(scene: Scene) -> list[str]:
    return [
        name for name in scene.stack.processes if name.partition("-")[0] in REPLICAS and "relay" not in name
    ]


TRIAL = Trial(
    "R14",
    _joining,
    replicas=REPLICAS,
    rounds={"ci": 50, "night": 300},
    round_s=1.0,
    away_s={"ci": 0.0, "night": 0.0},
)
