"""FastStream as its first page shows it: one message per call, a pydantic model, at most once."""

from __future__ import annotations

import asyncio
from datetime import datetime

import uvloop
from faststream import FastStream
from faststream.kafka import KafkaBroker
from pydantic import BaseModel, ConfigDict, Field

from bench.baselines.rule import level_after
from bench.baselines.task import Task, Timer, answering, task


class Reading(BaseModel):
    sensor_id: str
    value: float
    observed_at: datetime


class Change(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True)

    sensor_id: str
    before: int = Field(serialization_alias="from")
    after: int = Field(serialization_alias="to")
    value: float
    observed_at: datetime


async def main(told: Task, timer: Timer) -> None:
    broker = KafkaBroker(told.bootstrap, logger=None)
    state: dict[str, tuple[int, float]] = {}
    start, left, done = (0, float("-inf")), told.count, asyncio.Event()

    @broker.subscriber(told.topic, group_id=told.group, auto_offset_reset="earliest")
    async def on_reading(reading: Reading) -> None:
        nonlocal left
        level, before = state.get(reading.sensor_id, start)
        after = level_after(level, before, reading.value)
        state[reading.sensor_id] = (after, reading.value)
        if after != level:
            change = Change(
                sensor_id=reading.sensor_id,
                before=level,
                after=after,
                value=reading.value,
                observed_at=reading.observed_at,
            )
            await broker.publish(change, told.out, no_confirm=True)
        left -= 1
        if left == 0:
            done.set()

    app = FastStream(broker, logger=None)
    await app.start()
    timer.began()
    await done.wait()
    await broker.stop()
    timer.ended()


if __name__ == "__main__":
    with answering() as timer:
        uvloop.run(main(task(), timer))
