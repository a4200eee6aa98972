"""R6: PostgreSQL cuts every connection again and again, then is away while phones answer."""

from __future__ import annotations

import asyncio
from collections import Counter

from tests.chaos.answering import SLOW_PHONES, answers_taken
from tests.chaos.campaign import Json, Order, Outcome, Scene, Trial, play, say
from tests.chaos.recovery import WITHIN_S, Before, whole_again_s
from tests.support.postgres import PostgresCluster, run_sql

CUT_EVERY_S = 5.0
CUTS_UNTIL, STOPPED_AT = 0.4, 0.5
AWAY_S = {"ci": 20.0, "night": 60.0}
IN_WORK_S = 1.0
CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


def run(order: Order) -> Json:
    if order.cluster is None or order.cluster.outside:
        raise SystemExit("R6 stops PostgreSQL, so it needs a server of its own: --databases postgresql")
    return play(order, TRIAL)


async def _trouble(scene: Scene) -> Outcome:
    cluster = scene.order.cluster
    assert cluster is not None
    await scene.load_at(0.05)
    cuts, cut = await _cut(scene, cluster)
    await scene.load_at(STOPPED_AT)
    outcome = await _outage(scene, cluster)
    outcome.facts |= {"cuts": cuts, "connections_cut": cut}
    if not cut:
        outcome.broken.append("no connection was there to be cut")
    return outcome


async def _cut(scene: Scene, cluster: PostgresCluster) -> tuple[int, int]:
    """Cut until a share of the load is done; return how often, and how many connections in all."""
    cuts = cut = 0
    while scene.load.done < CUTS_UNTIL:
        cut += len(await run_sql(cluster.url, CUT))
        cuts += 1
        await asyncio.sleep(CUT_EVERY_S)
    return cuts, cut


async def _outage(scene: Scene, cluster: PostgresCluster) -> Outcome:
    load = scene.load
    await asyncio.to_thread(cluster.stop)
    await asyncio.sleep(IN_WORK_S)  # What was committed before the stop may be answered after it.
    before = Before.of(scene)
    heard = await asyncio.to_thread(answers_taken, scene)
    await asyncio.sleep(AWAY_S[scene.order.scale] - IN_WORK_S)
    answered = load.answers - before.answers
    said = await asyncio.to_thread(answers_taken, scene) - heard
    await asyncio.to_thread(cluster.start)
    recovered_s = await whole_again_s(scene, before)
    broken = broken_promises(answered, load.bare_refusals, said, recovered_s)
    facts = {"refused_503": answered[503], "answers_while_away": said}
    say(f"   away: {dict(answered)}, {said} answers of phones; back after {recovered_s} s")
    return Outcome(1, recovered_s=[recovered_s or WITHIN_S], broken=broken, facts=facts)


def broken_promises(
    answered: Counter[int], bare_refusals: int, said: int, recovered_s: float | None
) -> list[str]:
    """Return what the outage showed to be broken. Pure.

    Args:
        answered: Statuses of the postings that were answered while the database was away.
        said: How many answers of phones came meanwhile.
    """
    others = {status: count for status, count in answered.items() if status != 503}
    broken = []
    if others or not answered[503]:
        broken.append(f"without a database the door answered {dict(answered)}, not 503 alone")
    if bare_refusals:
        broken.append(f"{bare_refusals} refusals came without Retry-After")
    if not said:
        broken.append("no phone answered while the database was away")
    if recovered_s is None:
        broken.append(f"not all was in order again within {WITHIN_S:.0f} s")
    return broken


TRIAL = Trial(
    "R6",
    _trouble,
    rounds={"ci": 40, "night": 400},
    round_s=0.5,
    phones=SLOW_PHONES,
    recovered_s_most=10.0,
)
