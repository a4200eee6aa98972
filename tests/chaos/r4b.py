"""R4b: three brokers that ask who one is: one dies and comes back, leaders move, then the others both die."""

from __future__ import annotations

import asyncio
import time

from municipio.acls import SENSORS
from schemas.topics import READINGS, READINGS_EXTERNAL
from tests.chaos.campaign import Json, Order, Outcome, Scene, Trial, play, say
from tests.chaos.drain import drained, judge_door
from tests.support.kafka_cluster import NODES, Place, SecureCluster, may_write, secure_cluster

# Nodes that die alone; the last two die together, so that each has died.
ALONE = {"ci": 1, "night": 3}
ALONE_S = {"ci": 6.0, "night": 20.0}
TWO_GONE_S = {"ci": 10.0, "night": 60.0}
LED_AGAIN_WITHIN_S = 20.0


def run(order: Order) -> Json:
    with secure_cluster(order.folder.with_name(order.folder.name + "-kafka")) as cluster:
        return play(order, _trial(cluster))


def _trial(cluster: SecureCluster) -> Trial:
    async def deaths(scene: Scene) -> Outcome:
        outcome = Outcome()
        await _outsiders_stay_outside(cluster, outcome)
        await scene.load_at(0.05)
        began_s = time.monotonic()
        leaders = await asyncio.to_thread(cluster.leaders)
        moved = 0
        nodes = scene.draw.sample(NODES, len(NODES))
        for node in nodes[: ALONE[scene.order.scale]]:
            moved += await _one_dies(cluster, scene, node, leaders, outcome)
        await asyncio.to_thread(cluster.until_led, leaders, LED_AGAIN_WITHIN_S)
        say(f"   one after the other died and came back within {time.monotonic() - began_s:.0f} s")
        await _two_die(cluster, scene, nodes[1:], outcome)
        outcome.facts["leaders_moved"] = moved
        outcome.fired = min(outcome.kills, moved)
        judge_door(scene, outcome, began_s, time.monotonic())
        return outcome

    return Trial(
        "R4b",
        deaths,
        rounds={"ci": 60, "night": 500},
        round_s=1.0,
        duplicate_pct_most=0.1,
        kafka_bootstrap=lambda _: cluster.bootstrap,
        kafka_logins=cluster.logins,
        environment={"MUNICIPIO_KAFKA_SECURITY": "SASL_PLAINTEXT", "MUNICIPIO_KAFKA_REPLICAS": "3"},
    )


async def _outsiders_stay_outside(cluster: SecureCluster, outcome: Outcome) -> None:
    sensors = cluster.access(SENSORS)
    if not await may_write(sensors, READINGS_EXTERNAL.name):
        outcome.broken.append("a sensor network may not publish what it measured")
    if await may_write(sensors, READINGS.name):
        outcome.broken.append("a sensor network may write to readings, which only ingest may")


async def _one_dies(
    cluster: SecureCluster, scene: Scene, node: int, leaders: dict[Place, int], outcome: Outcome
) -> int:
    """Kill a node and bring it back; return how many partitions another led meanwhile."""
    await asyncio.to_thread(cluster.kill, node)
    outcome.kills += 1
    died_s = time.monotonic()
    outcome.recovered_s.append(await drained(scene, died_s))
    await asyncio.sleep(max(0.0, died_s + ALONE_S[scene.order.scale] - time.monotonic()))
    without = await asyncio.to_thread(cluster.leaders)
    await asyncio.to_thread(cluster.start, [node])
    await asyncio.to_thread(cluster.until_whole)
    return sum(without[place] != leader for place, leader in leaders.items())


async def _two_die(cluster: SecureCluster, scene: Scene, gone: list[int], outcome: Outcome) -> None:
    for node in gone:
        await asyncio.to_thread(cluster.kill, node)
        outcome.kills += 1
    taken = scene.load.answers[202]
    await asyncio.sleep(TWO_GONE_S[scene.order.scale])
    outcome.facts["taken_with_two_gone"] = scene.load.answers[202] - taken
    if not outcome.facts["taken_with_two_gone"]:
        outcome.broken.append("nothing was posted while two brokers were gone")
    await asyncio.to_thread(cluster.start, gone)
    back_s = time.monotonic()
    await asyncio.to_thread(cluster.until_whole)
    outcome.recovered_s.append(await drained(scene, back_s))
