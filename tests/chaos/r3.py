"""R3: Kafka is stopped under load while phones answer; who starts meanwhile finds it by itself."""

from __future__ import annotations

import asyncio
import time

from tests.chaos.answering import SLOW_PHONES, answers_taken
from tests.chaos.campaign import Json, Order, Outcome, Scene, Trial, play
from tests.chaos.drain import drained, judge_door

AWAY_S = {"ci": (20.0,), "night": (60.0, 600.0)}
BEGIN_AT = {"ci": (0.25,), "night": (0.1, 0.25)}
STARTED_MEANWHILE = ("triage", "notify", "console")
SETTLED_S = 8.0
P99_MS_MOST = 250.0


def run(order: Order) -> Json:
    return play(order, TRIAL)


async def _outages(scene: Scene) -> Outcome:
    outcome = Outcome()
    for begin_at, away_s in zip(BEGIN_AT[scene.order.scale], AWAY_S[scene.order.scale], strict=True):
        await scene.load_at(begin_at)
        await _away(scene, away_s, outcome)
    return outcome


async def _away(scene: Scene, away_s: float, outcome: Outcome) -> None:
    stack = scene.stack
    answered = await asyncio.to_thread(answers_taken, scene)
    began_s = time.monotonic()
    await asyncio.to_thread(stack.stop_broker)
    for name in STARTED_MEANWHILE:
        outcome.kills += bool(await asyncio.to_thread(stack.kill, name))
    await asyncio.sleep(max(SETTLED_S, away_s - (time.monotonic() - began_s)))
    before = _pids(scene)
    outcome.facts["answered_meanwhile"] = await asyncio.to_thread(answers_taken, scene) - answered
    await asyncio.to_thread(stack.start_broker)
    back_s = time.monotonic()
    outcome.fired += 1
    outcome.recovered_s.append(await drained(scene, back_s))
    judge_door(scene, outcome, began_s, time.monotonic(), P99_MS_MOST)
    if not outcome.facts["answered_meanwhile"]:
        outcome.broken.append("no phone answered while Kafka was away")
    if before != _pids(scene):
        outcome.broken.append("a service ended and was started again after the outage")


def _pids(scene: Scene) -> dict[str, int]:
    return {info.name: info.pid for info in scene.stack.info() if info.name != "kafka"}


TRIAL = Trial(
    "R3",
    _outages,
    rounds={"ci": 60, "night": 1150},
    phones=SLOW_PHONES,
)
