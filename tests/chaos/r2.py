"""R2: every process is told to end and started again, one after the other, while readings come in."""

from __future__ import annotations

import asyncio
import time

from tests.chaos.campaign import Json, Order, Outcome, Scene, Trial, mortal, play
from tests.chaos.kills import is_up

ROUNDS = {"ci": 1, "night": 3}
BACK_WITHIN_S = 60.0
BEGIN_AT = 0.05


def run(order: Order) -> Json:
    return play(order, TRIAL)


async def _rolling(scene: Scene) -> Outcome:
    outcome = Outcome()
    await scene.load_at(BEGIN_AT)
    for _ in range(ROUNDS[scene.order.scale]):
        for process in mortal(scene.stack):
            await _restart(scene, process, outcome)
    if scene.load.done >= 1:
        outcome.broken.append("the load was over before the last restart")
    return outcome


async def _restart(scene: Scene, process: str, outcome: Outcome) -> None:
    stack = scene.stack
    began_s = time.monotonic()
    await asyncio.to_thread(stack.stop_process, process)
    ended = next(info for info in stack.info() if info.name == process)
    if ended.exit_code != 0:
        outcome.broken.append(f"{process} did not end in order when told to: exit code {ended.exit_code}")
    await asyncio.to_thread(stack.start_process, process)
    if await is_up(stack, process, BACK_WITHIN_S):
        outcome.fired += 1
        outcome.recovered_s.append(time.monotonic() - began_s)
    else:
        outcome.broken.append(f"{process} did not come back")


TRIAL = Trial(
    "R2",
    _rolling,
    rounds={"ci": 50, "night": 300},
    round_s=1.0,
    away_s={"ci": 0.0, "night": 0.0},
)
