"""The console on a real Apache Kafka: dropped while it runs, lost while it does not, it comes to the same."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.vocabulary import Lane
from services.console.inbound.consuming import READ, subscriptions
from services.console.settings import ConsoleSettings
from services.runtime.kafka import connect_forever, kafka_broker, kafka_publisher
from services.runtime.outbox import Outgoing
from services.runtime.records import envelope_of
from tests.support.kafka import KafkaCluster, kafka
from tests.unit.console.rig import Desk, night

__all__ = ["kafka"]
pytestmark = [pytest.mark.smoke, pytest.mark.timeout(170)]

READ_WITHIN_S = 60


@contextlib.asynccontextmanager
async def running(folder: Path, bootstrap: str) -> AsyncIterator[Desk]:
    """A console that reads the broker's topics into the database of its folder."""
    desk = Desk(folder)
    await desk.app.start()
    broker = kafka_broker(ConsoleSettings(kafka_bootstrap=bootstrap), "console")
    desk.app.following.consumers = subscriptions(broker, desk.app)
    connecting = asyncio.create_task(connect_forever(broker, asyncio.Event()))
    following = asyncio.create_task(desk.app.following.run())
    try:
        yield desk
    finally:
        for task in (connecting, following):
            task.cancel()
        await asyncio.wait_for(broker.stop(), 20)
        await desk.app.db.close()


async def read_to_the_end(desk: Desk) -> dict[str, tuple[int, str]]:
    async with asyncio.timeout(READ_WITHIN_S):
        while set((behind := await desk.app.following.behind()).values()) != {0}:
            await asyncio.sleep(0.05)
    assert set(behind) == set(READ)
    return {**await desk.digest(), **await desk.digest("puerto")}


async def publish(desk: Desk, bootstrap: str) -> None:
    publisher = await kafka_publisher(ConsoleSettings(kafka_bootstrap=bootstrap), "testing")
    events = [*night(), *night("puerto", "i2")]
    records = [(told, desk.record(told)) for told in events]
    outgoing = [
        Outgoing(told.topic, told.key, envelope_of(record), record.value, Lane.INCIDENTS)
        for told, record in records
    ]
    for each in outgoing:
        assert await publisher.send([each]) == [None]
    await publisher.close()


async def test_dropped_or_lost_it_reads_all_again(tmp_path: Path, kafka: KafkaCluster) -> None:
    """While it runs by the door, while it does not with its file: the broker's memory is not trusted."""
    async with running(tmp_path, kafka.bootstrap) as desk:
        await publish(desk, kafka.bootstrap)
        before = await read_to_the_end(desk)
        assert before["message"][0] == 3
        assert (await desk.ask("/admin/v1/rebuild", "POST")).status_code == 202
        assert before == await read_to_the_end(desk)
    for file in tmp_path.glob("console.sqlite*"):
        file.unlink()
    shutil.rmtree(tmp_path / "towns")
    async with running(tmp_path, kafka.bootstrap) as desk:
        assert before == await read_to_the_end(desk)
