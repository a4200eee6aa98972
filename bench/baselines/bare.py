"""The least that can fold readings: aiokafka, msgspec, a dictionary, a comparison. Nothing survives it."""

from __future__ import annotations

import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from bench.baselines.rule import level_after
from bench.baselines.task import Task, Timer, answering, task


class Reading(msgspec.Struct, gc=False):
    sensor_id: str
    value: float
    observed_at: str


async def main(told: Task, timer: Timer) -> None:
    consumer = AIOKafkaConsumer(
        told.topic,
        bootstrap_servers=told.bootstrap,
        group_id=told.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    producer = AIOKafkaProducer(bootstrap_servers=told.bootstrap, enable_idempotence=True)
    decode, encode = msgspec.json.Decoder(Reading).decode, msgspec.json.Encoder().encode
    state: dict[str, tuple[int, float]] = {}
    start, left = (0, float("-inf")), told.count
    await producer.start()
    await consumer.start()
    try:
        timer.began()
        while left > 0:
            polled = await consumer.getmany(timeout_ms=100)
            for records in polled.values():
                left -= len(records)
                for record in records:
                    reading = decode(record.value)
                    level, before = state.get(reading.sensor_id, start)
                    after = level_after(level, before, reading.value)
                    state[reading.sensor_id] = (after, reading.value)
                    if after != level:
                        change = {
                            "sensor_id": reading.sensor_id,
                            "from": level,
                            "to": after,
                            "value": reading.value,
                            "observed_at": reading.observed_at,
                        }
                        await producer.send(told.out, encode(change), partition=record.partition)
            if polled:
                await producer.flush()
                await consumer.commit()
        timer.ended()
    finally:
        await consumer.stop()
        await producer.stop()


if __name__ == "__main__":
    with answering() as timer:
        uvloop.run(main(task(), timer))
