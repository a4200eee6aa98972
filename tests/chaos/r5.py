"""R5: two topics are wiped while their readers are away, and every reader is sent back to the beginning."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from municipio.quiet import followed
from municipio.topics import ensure_topics
from schemas.topics import INCIDENTS, READINGS
from tests.chaos.campaign import Json, Order, Outcome, Scene, Trial, play
from tests.chaos.drain import drained

READERS = ("notify", "console", "triage")
WIPED = {INCIDENTS.name: "triage", READINGS.name: "ingest"}
"""Topic and who can publish it again."""
UNREAD_S = 2.0
SETTLED_S = 1.0
WITHIN_S = 60.0


def run(order: Order) -> Json:
    return play(order, TRIAL)


async def _amnesia(scene: Scene) -> Outcome:
    outcome = Outcome()
    admin = AdminClient({"bootstrap.servers": scene.stack.bootstrap, "log_level": 0})
    await scene.load_at(0.2)
    await _wipe(scene, admin, outcome)
    await scene.load_at(0.6)
    await _from_the_beginning(scene, admin, outcome)
    return outcome


async def _wipe(scene: Scene, admin: AdminClient, outcome: Outcome) -> None:
    """Let records pile up that nobody has read, lose them, and publish again what the services keep."""
    for name in READERS:
        await asyncio.to_thread(scene.stack.stop_process, name)
        await asyncio.sleep(UNREAD_S)
    for future in admin.delete_topics(list(WIPED), operation_timeout=WITHIN_S).values():
        await asyncio.to_thread(future.result)
        outcome.fired += 1
    await _made_again(scene, admin)
    began_s = time.monotonic()
    await _start(scene)
    published = {}
    for topic, service in WIPED.items():
        said = await asyncio.to_thread(
            scene.stack.client().post, service, f"/admin/v1/republish?topic={topic}", {}
        )
        published[topic] = said["count"]
    outcome.facts["published_again"] = published
    if not all(published.values()):
        outcome.broken.append("a service had nothing to publish again")
    outcome.recovered_s.append(await drained(scene, began_s))


async def _from_the_beginning(scene: Scene, admin: AdminClient, outcome: Outcome) -> None:
    """Forget how far every group has read; each reads all that stands on its topics once more."""
    for name in READERS:
        await asyncio.to_thread(scene.stack.stop_process, name)
    groups = [
        group
        for group in [*(each for some in followed().values() for each in some), f"triage.{READINGS.name}"]
        if group.partition(".")[0] in READERS
    ]
    outcome.fired += await _forget(admin, groups)
    began_s = time.monotonic()
    await _start(scene)
    outcome.recovered_s.append(await drained(scene, began_s))


async def _forget(admin: AdminClient, groups: Sequence[str]) -> int:
    """Delete groups; a static member counts until its session ends, so try for a while."""
    left, until_s = set(groups), time.monotonic() + WITHIN_S
    while left and time.monotonic() < until_s:
        for group, future in admin.delete_consumer_groups(sorted(left)).items():
            try:
                await asyncio.to_thread(future.result)
            except KafkaException:
                continue
            left.discard(group)
        await asyncio.sleep(0.5)
    if left:
        raise TimeoutError(f"still somebody is in {', '.join(sorted(left))}")
    return len(groups)


async def _made_again(scene: Scene, admin: AdminClient) -> None:
    """Make the topics anew; a broker that has not yet heard of their end says that they are there."""
    until_s = time.monotonic() + WITHIN_S
    while time.monotonic() < until_s:
        await ensure_topics(scene.stack.kafka)
        await asyncio.sleep(SETTLED_S)
        there = (await asyncio.to_thread(admin.list_topics, timeout=WITHIN_S)).topics
        if all(name in there and there[name].partitions for name in WIPED):
            return
    raise TimeoutError("the wiped topics were not made again")


async def _start(scene: Scene) -> None:
    for name in READERS:
        await asyncio.to_thread(scene.stack.start_process, name)
    await asyncio.to_thread(scene.stack.ready)


TRIAL = Trial("R5", _amnesia, rounds={"ci": 60, "night": 500})
