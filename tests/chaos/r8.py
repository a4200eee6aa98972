"""R8: the carrier takes messages and says that it did not, callbacks go astray, and notify dies meanwhile."""

from __future__ import annotations

from tests.chaos.campaign import TOWN, Json, Order, Outcome, Scene, Trial, play, say
from tests.chaos.carrying import faults_met, follow, most_copies
from tests.chaos.kills import Killer
from tests.chaos.script import Kill
from tests.support.oracle import Evidence
from tests.support.oracle.evidence import deliveries

KILLS = 6
COPIES_MOST = 2
AMBIGUOUS = ("fail_after", "hang_after", "reset_after")
PLAN = {
    **{f"{fault}_share": 0.05 for fault in AMBIGUOUS},
    "hang_s": 30.0,
    "callback_drop_share": 0.1,
    "callback_double_share": 0.1,
    # A real list lags behind what was taken.
    "list_stale_s": 2.0,
}


def run(order: Order) -> Json:
    return play(order, TRIAL)


async def _trouble(scene: Scene) -> Outcome:
    carrier = scene.stack.urls["carrier"]
    await follow(carrier, {**PLAN, "seed": scene.order.seed})
    kills = [Kill("notify", scene.draw.uniform(0.1, 0.95)) for _ in range(KILLS)]
    killer = Killer(scene.stack)
    await killer.play(sorted(kills, key=lambda kill: kill.at), lambda: scene.load.done)
    recovered_s = [seconds for _, seconds in killer.recovered_s]
    broken = [f"notify did not come back {killer.missed} times"] if killer.missed else []
    return Outcome(kills=len(recovered_s), recovered_s=recovered_s, broken=broken)


async def _count(scene: Scene, outcome: Outcome) -> None:
    """Count what took effect; from then on only callbacks go astray.

    Each answer that is missing would hold every later step of the clock up for ten seconds.
    """
    carrier = scene.stack.urls["carrier"]
    met = await faults_met(carrier)
    outcome.fired = sum(met.get(fault, 0) for fault in AMBIGUOUS)
    outcome.facts["faults_met"] = met
    say(f"   {met}")
    if absent := [fault for fault in AMBIGUOUS if not met.get(fault)]:
        outcome.broken.append(f"never took effect: {', '.join(absent)}")
    honest = {name: value for name, value in PLAN.items() if name.startswith("callback")}
    await follow(carrier, {**honest, "seed": scene.order.seed})


def _look(evidence: Evidence) -> list[str]:
    copies = most_copies(deliveries(evidence, TOWN))
    return [f"{copies} copies of one message"] if copies > COPIES_MOST else []


TRIAL = Trial(
    "R8",
    _trouble,
    rounds={"ci": 40, "night": 300},
    round_s=0.6,
    environment={"MUNICIPIO_CARRIER_TIMEOUT_S": "3"},
    duplicate_pct_most=0.5,
    calm=_count,
    look=_look,
)
