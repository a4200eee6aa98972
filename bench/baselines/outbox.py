"""Rows of an outbox on SQLite, and what publishes them: our relay, or a producer that is told to flush."""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

import sqlalchemy as sa
import uvloop
from aiokafka import AIOKafkaProducer

from schemas.envelope import Envelope
from schemas.vocabulary import Lane
from services.runtime.clock import SystemClock
from services.runtime.database import Database
from services.runtime.health import Health
from services.runtime.lease import Lease
from services.runtime.outbox import Outbox, Outgoing
from services.runtime.publisher import connect_publisher
from services.runtime.relay import Relay
from services.runtime.settings import RuntimeSettings
from services.runtime.tables import runtime_tables

KEYS: Final = 1000
VALUE_BYTES: Final = 200
FLUSH_EVERY: Final = 500
AGAIN_S: Final = 0.25
GIVES_UP_S: Final = 200.0
metadata: Final = sa.MetaData()
TABLES: Final = runtime_tables(metadata)


class Took(NamedTuple):
    """Time and CPU seconds of this process."""

    seconds: float
    cpu_s: float

    @classmethod
    def now(cls) -> Took:
        return cls(time.monotonic(), time.process_time())

    def __sub__(self, before: Took) -> Took:
        return Took(self.seconds - before.seconds, self.cpu_s - before.cpu_s)


def outgoing(topic: str, count: int) -> Iterator[Outgoing]:
    value = json.dumps({"text": "x" * (VALUE_BYTES - 12)}).encode()
    at = datetime.now(UTC)
    for number in range(count):
        envelope = Envelope(
            id=f"row-{number}", source="municipio/bench", type="bench.row", time=at, municipality="rio"
        )
        yield Outgoing(topic, f"key-{number % KEYS}", envelope, value, Lane.INCIDENTS)


async def relay(told: argparse.Namespace) -> Took:
    """Publish, confirm and mark every row; the rows are written before the time is taken."""
    db, clock = Database(told.database), SystemClock()
    await db.create_all(metadata)
    outbox = Outbox(TABLES, None, "bench", clock)
    rows = list(outgoing(told.topic, told.count))
    for start in range(0, len(rows), 5000):
        async with db.transaction() as conn:
            await outbox.add(conn, "rio", rows[start : start + 5000])
    settings = RuntimeSettings(kafka_bootstrap=told.bootstrap)
    publisher = await connect_publisher(settings, "bench-relay")

    async def connected() -> object:
        return publisher

    lease = Lease(db, TABLES, "relay", "bench")
    part = Relay(db, outbox, connected, lease, clock, Health("bench"))  # type: ignore[arg-type]  # is one
    began = Took.now()
    published = await part.drain()
    while published < told.count and (Took.now() - began).seconds < GIVES_UP_S:
        await asyncio.sleep(AGAIN_S)  # A broker that is slow to answer is asked again, as it is live.
        published += await part.drain()
    took = Took.now() - began
    if published != told.count or not await part.drained():
        raise RuntimeError(f"{published} of {told.count} rows were published")
    await publisher.close()
    await db.close()
    return took


async def producer(told: argparse.Namespace) -> Took:
    """Send the same records, flushing after every 500."""
    rows = [
        (each.value, (each.key or "").encode(), each.envelope.headers())
        for each in outgoing(told.topic, told.count)
    ]
    sender = AIOKafkaProducer(bootstrap_servers=told.bootstrap, enable_idempotence=True, acks="all")
    await sender.start()
    began = Took.now()
    for start in range(0, len(rows), FLUSH_EVERY):
        for value, key, headers in rows[start : start + FLUSH_EVERY]:
            await sender.send(told.topic, value, key=key, headers=headers)
        await sender.flush()
    took = Took.now() - began
    await sender.stop()
    return took


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("how", choices=("relay", "producer"))
    for name in ("bootstrap", "topic", "database"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--count", type=int, required=True)
    told = parser.parse_args()
    took = uvloop.run({"relay": relay, "producer": producer}[told.how](told))
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = {"seconds": took.seconds, "cpu_s": took.cpu_s, "peak_rss_mb": peak_kb / 1024}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
