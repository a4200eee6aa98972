"""The shortest way from a reading to a text: a door, two hops over Kafka, a POST. Nothing is stored."""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Final

import aiohttp
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from services.runtime.http import serve

BATCH_TIMEOUT_MS: Final = 10
"""As every consumer of ours has it, with the pause of the same length behind an empty poll."""
FROM: Final = "+50370000000"
TO: Final = "+50370000001"
ALARM_M: Final = 2.5


async def door(told: argparse.Namespace) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=told.bootstrap)
    await producer.start()

    async def post_readings(request: Request) -> JSONResponse:
        await producer.send_and_wait(f"{told.topic}.1", await request.body())
        return JSONResponse({"accepted": 1}, 202)

    async def readyz(_request: Request) -> JSONResponse:
        return JSONResponse({"ok": True})

    routes = [Route("/v1/readings", post_readings, methods=["POST"]), Route("/readyz", readyz)]
    await serve(Starlette(routes=routes), "127.0.0.1", told.port, asyncio.Event())


async def rule(told: argparse.Namespace) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=told.bootstrap)
    await producer.start()

    async def decide(value: bytes) -> None:
        reading = json.loads(value)
        if reading["value"] >= ALARM_M:
            await producer.send_and_wait(f"{told.topic}.2", json.dumps(reading).encode())

    await _each(told, f"{told.topic}.1", decide)


async def sender(told: argparse.Namespace) -> None:
    url = f"{told.carrier}/2010-04-01/Accounts/{told.account}/Messages.json"
    async with aiohttp.ClientSession(auth=aiohttp.BasicAuth(told.account, told.token)) as http:

        async def send(value: bytes) -> None:
            zone = json.loads(value)["sensor_id"].removeprefix("g-")
            async with http.post(url, data={"From": FROM, "To": TO, "Body": f"Zona {zone}"}) as answer:
                answer.raise_for_status()

        await _each(told, f"{told.topic}.2", send)


async def _each(told: argparse.Namespace, topic: str, handle: object) -> None:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=told.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    while True:
        polled = await consumer.getmany(timeout_ms=BATCH_TIMEOUT_MS)
        if not polled:
            await asyncio.sleep(BATCH_TIMEOUT_MS / 1000)
        for records in polled.values():
            for record in records:
                await handle(record.value)  # type: ignore[operator]  # an async function


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=("door", "rule", "sender"))
    for name in ("bootstrap", "topic", "carrier", "account", "token"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--port", type=int, default=0)
    told = parser.parse_args()
    uvloop.run({"door": door, "rule": rule, "sender": sender}[told.part](told))


if __name__ == "__main__":
    main()
