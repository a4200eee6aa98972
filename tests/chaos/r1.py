"""R1: processes die in the middle of the load, one after the other, and nobody must notice."""

from __future__ import annotations

from tests.chaos.campaign import Json, Order, Outcome, Scene, Trial, play
from tests.chaos.kills import Killer


def run(order: Order) -> Json:
    return play(order, TRIAL)


async def _deaths(scene: Scene) -> Outcome:
    killer = Killer(scene.stack)
    await killer.play(scene.told.kills, lambda: scene.load.done)
    recovered_s = [seconds for _, seconds in killer.recovered_s]
    broken = [f"{killer.missed} processes did not come back"] if killer.missed else []
    return Outcome(fired=len(recovered_s), kills=len(recovered_s), recovered_s=recovered_s, broken=broken)


TRIAL = Trial(
    "R1",
    _deaths,
    deaths={"ci": 6, "night": 40},
    with_decisions=True,
    away_s={"ci": 0.0, "night": 0.0},
)
