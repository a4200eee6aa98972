"""R18: event loops are blocked for half a minute, and processes frozen; somebody must notice and go on."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import httpx

from municipio.paths import ROOT
from tests.chaos.campaign import Json, Order, Outcome, Scene, Trial, play, say
from tests.chaos.kills import LOOK_EVERY_S, is_up

BLOCKING = Path(__file__).parent / "blocking"
BLOCKED_S = 30.0
NOTICED_WITHIN_S = 20.0
BACK_WITHIN_S = 60.0
# Half of the town at a time, so that the other half goes on meanwhile.
BLOCKED = ((0.05, ("ingest", "notify")), (0.4, ("triage", "door", "console")))
FROZEN_AT, FROZEN = 0.7, ("triage", "notify")


def run(order: Order) -> Json:
    return play(order, TRIAL)


async def _trouble(scene: Scene) -> Outcome:
    outcome = Outcome()
    for share, processes in BLOCKED:
        await scene.load_at(share)
        await asyncio.gather(*(_hurt(scene, name, signal.SIGUSR1, outcome) for name in processes))
    await scene.load_at(FROZEN_AT)
    await asyncio.gather(*(_hurt(scene, name, signal.SIGSTOP, outcome) for name in FROZEN))
    return outcome


async def _hurt(scene: Scene, name: str, how: signal.Signals, outcome: Outcome) -> None:
    """Block or freeze a process; wait until ``/healthz`` says so, and until it works again."""
    pid = (await asyncio.to_thread(scene.stack.pids, name))[0]
    began_s = time.monotonic()
    os.kill(pid, how)
    thaw = asyncio.create_task(_thaw(pid)) if how is signal.SIGSTOP else None
    noticed_s = await _until_not_alive(scene, name, began_s)
    if noticed_s is None or noticed_s > NOTICED_WITHIN_S:
        outcome.broken.append(f"{name} was blocked, and /healthz was well for {NOTICED_WITHIN_S:.0f} s")
        return
    outcome.fired += 1
    if thaw is not None:
        await thaw
    if not await is_up(scene.stack, name, BACK_WITHIN_S):
        outcome.broken.append(f"{name} did not come back")
    recovered_s = time.monotonic() - began_s
    outcome.recovered_s.append(recovered_s)
    again = pid not in await asyncio.to_thread(scene.stack.pids, name)
    outcome.facts["restarted"] = outcome.facts.get("restarted", 0) + again
    say(f"   {name} {how.name}: seen after {noticed_s:.1f} s, back after {recovered_s:.1f} s")


async def _thaw(pid: int) -> None:
    await asyncio.sleep(BLOCKED_S)
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return  # Ended and started anew by whoever watches it.


async def _until_not_alive(scene: Scene, name: str, began_s: float) -> float | None:
    async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
        while time.monotonic() - began_s < NOTICED_WITHIN_S:
            try:
                is_alive = (await http.get(f"{scene.stack.urls[name]}/healthz")).is_success
            except httpx.HTTPError:
                is_alive = False
            if not is_alive:
                return time.monotonic() - began_s
            await asyncio.sleep(LOOK_EVERY_S)
    return None


TRIAL = Trial(
    "R18",
    _trouble,
    rounds={"ci": 50, "night": 300},
    round_s=1.5,
    environment={"PYTHONPATH": os.pathsep.join((str(BLOCKING), str(ROOT)))},
    away_s={"ci": 0.0, "night": 0.0},
)
