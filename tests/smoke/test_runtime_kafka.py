"""Relay, consumers and fence on a real Apache Kafka: away, killed, refusing, poisoned, shared."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.util import calc_crc32c

from schemas.envelope import Envelope
from schemas.vocabulary import Lane
from services.runtime.clock import SystemClock
from services.runtime.consumer import Consumer
from services.runtime.database import Database
from services.runtime.errors import DatabaseDown, OursMalformed
from services.runtime.fence import Gate, Ownership
from services.runtime.health import Health
from services.runtime.inbox import Inbox
from services.runtime.kafka import connect_forever, kafka_broker, kafka_publisher, subscribe
from services.runtime.lease import Lease
from services.runtime.outbox import Outbox, Outgoing
from services.runtime.records import Record, envelope_of
from services.runtime.relay import Relay
from services.runtime.settings import RuntimeSettings
from services.runtime.signing import generate_keys, load_signer
from services.runtime.tables import runtime_tables
from tests.support.kafka import KafkaCluster, kafka, kafka_cluster

__all__ = ["kafka"]
pytestmark = [pytest.mark.smoke, pytest.mark.timeout(170)]


def outgoing(name: str, key: str | None, topic: str = "tasks", value: bytes = b"{}") -> Outgoing:
    at = SystemClock().now()
    return Outgoing(
        topic, key, Envelope(name, "testing", "task.updated", at, "ejemplo"), value, Lane.INCIDENTS
    )


class Station:
    """A relay and consumers of one service on one broker, with a database of their own."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.settings = RuntimeSettings(kafka_bootstrap=bootstrap)
        metadata = sa.MetaData()
        self.metadata, self.tables = metadata, runtime_tables(metadata)
        self.service = f"testing-{uuid.uuid4().hex[:8]}"
        self.db = Database(f"sqlite:///{folder}/{self.service}.sqlite")
        generate_keys(folder, [self.service])
        signer = load_signer(folder, self.service)
        self.outbox = Outbox(self.tables, signer, self.service, SystemClock())
        self.health = Health(self.service)
        self.relay = self.make_relay()
        self.seen: list[str] = []
        self.crashes: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.up = asyncio.Event()

    def make_relay(self) -> Relay:
        lease = Lease(self.db, self.tables, "relay", "testing-0")

        async def connect():
            return await kafka_publisher(self.settings, self.service)

        return Relay(self.db, self.outbox, connect, lease, SystemClock(), self.health)

    async def accept(self, *records: Outgoing) -> None:
        async with self.db.transaction() as conn:
            await self.outbox.add(conn, "ejemplo", records)

    async def rests_at(self, unpublished: int) -> None:
        """Wait until so many records wait for good."""
        async with asyncio.timeout(20):
            while await self.relay.unpublished() != unpublished:
                await asyncio.sleep(0.05)

    async def see(self, records: Sequence[Record]) -> None:
        self.seen += [envelope_of(record).id for record in records]

    def start(self, part) -> asyncio.Task[None]:
        self.tasks.append(asyncio.create_task(part))
        return self.tasks[-1]

    def consume(self, topic: str, handle=None, *, slot: int = 0, ownership: Gate | None = None) -> Consumer:
        broker = kafka_broker(self.settings, self.service)
        consumer = subscribe(
            broker,
            topic,
            service=self.service,
            slot=slot,
            handle=handle or self.see,
            health=self.health,
            ownership=ownership,
            crash=self.crashes.append,
        )
        self.start(self._keep(broker))
        self.start(consumer.watch())
        return consumer

    async def _keep(self, broker) -> None:
        try:
            await connect_forever(broker, self.up)
            await asyncio.Event().wait()
        finally:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(broker.stop(), 20)

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.db.close()


@pytest.fixture
async def station(kafka: KafkaCluster, tmp_path: Path) -> AsyncIterator[Station]:
    it = Station(kafka.bootstrap, tmp_path)
    await it.db.create_all(it.metadata)
    yield it
    await it.close()


async def until(condition, within_s: float = 30) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.02)


async def test_records_pass_in_order_whatever_their_headers(station: Station) -> None:
    """A header that is not UTF-8, or null, hides no record and no neighbour."""
    producer = AIOKafkaProducer(bootstrap_servers=station.settings.kafka_bootstrap)
    await producer.start()
    run = uuid.uuid4().hex[:6]
    values: list[bytes] = []

    async def handle(records: Sequence[Record]) -> None:
        values.extend(record.value for record in records if (record.key or b"").startswith(run.encode()))

    for number in range(20):
        headers = [("ce_id", b"\xff\xfe")] if number % 3 == 0 else [("x", None)] if number % 3 == 1 else []
        await producer.send_and_wait("readings.external", b"%d" % number, key=run.encode(), headers=headers)
    await producer.stop()
    station.consume("readings.external", handle)
    await until(lambda: len(values) >= 20)
    assert values == [b"%d" % number for number in range(20)]


async def test_a_header_name_that_is_not_utf8_blocks_no_partition(station: Station) -> None:
    """An outsider could stop a partition for ever with one record."""
    producer = AIOKafkaProducer(bootstrap_servers=station.settings.kafka_bootstrap)
    await producer.start()
    run = uuid.uuid4().hex[:6].encode()
    for value in (b"before", b"between"):
        await producer.send_and_wait("readings.external", value, key=run, partition=1)
    await producer.send_batch(with_bad_name(producer, run), "readings.external", partition=1)
    await producer.send_and_wait("readings.external", b"after", key=run, partition=1)
    await producer.stop()
    seen: list[tuple[bytes, tuple[tuple[str, bytes], ...]]] = []

    async def handle(records: Sequence[Record]) -> None:
        seen.extend((record.value, record.headers) for record in records if record.key == run)

    station.consume("readings.external", handle)
    await until(lambda: len(seen) >= 5)
    bad = (("\\xff\\xfeZZ", b"x"),)
    assert seen == [(b"before", ()), (b"between", ()), (b"good", ()), (b"bad", bad), (b"after", ())]


def with_bad_name(producer: AIOKafkaProducer, key: bytes) -> BatchBuilder:
    """Return a batch that no client would build: good, then a record with a broken header name."""
    batch = producer.create_batch()
    batch.append(key=key, value=b"good", timestamp=None)
    batch.append(key=key, value=b"bad", timestamp=None, headers=[("ZZZZ", b"x")])
    batch.close()
    raw = bytearray(batch._build())
    at = raw.index(b"ZZZZ")
    raw[at : at + 2] = b"\xff\xfe"
    raw[17:21] = calc_crc32c(bytes(raw[21:])).to_bytes(4, "big")
    batch._buffer = raw
    return batch


async def test_relay_to_consumer_keeps_order_per_key(station: Station) -> None:
    """Two hundred records of ten incidents."""
    station.start(station.relay.run())
    run = uuid.uuid4().hex[:6]
    for number in range(20):
        await station.accept(*[outgoing(f"{run}-{key}-{number}", f"{run}-{key}") for key in range(10)])
    station.consume("tasks")
    await until(lambda: sum(name.startswith(run) for name in station.seen) >= 200)
    for key in range(10):
        mine = [name for name in station.seen if name.startswith(f"{run}-{key}-")]
        assert mine == [f"{run}-{key}-{number}" for number in range(20)]


async def test_a_refused_record_holds_back_its_key_only(station: Station) -> None:
    """1.2 MB is too large; its neighbours, also those of its own partition, pass."""
    run = uuid.uuid4().hex[:6]
    huge = outgoing(f"{run}-huge", f"{run}-bad", value=b"x" * 1_200_000)
    await station.accept(huge, outgoing(f"{run}-after", f"{run}-bad"))
    await station.accept(*[outgoing(f"{run}-good-{n}", f"{run}-good-{n}") for n in range(30)])
    station.start(station.relay.run())
    station.consume("tasks")
    await until(lambda: sum(f"{run}-good" in name for name in station.seen) >= 30)
    assert f"{run}-after" not in station.seen
    await station.rests_at(2)


async def test_a_record_refused_by_the_broker_is_tried_apart(station: Station) -> None:
    """No key on a compacted topic: the broker refuses the whole batch and breaks the producer's sequence."""
    run = uuid.uuid4().hex[:6]
    await station.accept(outgoing(f"{run}-bad", None, "municipality"))
    await station.accept(*[outgoing(f"{run}-good-{n}", f"{run}-{n}", "municipality") for n in range(5)])
    station.start(station.relay.run())
    station.consume("municipality")
    await until(lambda: sum(name.startswith(f"{run}-good") for name in station.seen) >= 5)
    await station.rests_at(1)


async def test_a_topic_that_does_not_exist_stops_no_other(station: Station) -> None:
    """A mistake in the table of topics is one topic's trouble."""
    run = uuid.uuid4().hex[:6]
    await station.accept(outgoing(f"{run}-lost", "k", "no.such.topic"), outgoing(f"{run}-good", "k"))
    station.start(station.relay.run())
    station.consume("tasks")
    await until(lambda: f"{run}-good" in station.seen)


async def test_a_busy_database_delays_and_loses_nothing(station: Station) -> None:
    """Five refusals, then each record once and in order."""
    run, outcomes = uuid.uuid4().hex[:6], [DatabaseDown("away")] * 5

    async def handle(records: Sequence[Record]) -> None:
        if outcomes:
            raise outcomes.pop()
        await station.see(records)

    station.start(station.relay.run())
    await station.accept(*[outgoing(f"{run}-{n}", run) for n in range(10)])
    station.consume("tasks", handle)
    await until(lambda: sum(name.startswith(run) for name in station.seen) >= 10)
    assert [name for name in station.seen if name.startswith(run)] == [f"{run}-{n}" for n in range(10)]


async def test_at_a_malformed_record_of_ours_it_stops_and_skips_nothing(station: Station) -> None:
    """Red, paused, and a repaired process reads exactly from there."""
    run = uuid.uuid4().hex[:6]
    is_repaired = False

    async def handle(records: Sequence[Record]) -> None:
        for record in records:
            name = envelope_of(record).id
            if name == f"{run}-bad" and not is_repaired:
                raise OursMalformed(record.topic, record.partition, record.offset, "value.invalid")
        await station.see(records)

    station.start(station.relay.run())
    consumer = station.consume("tasks", handle)
    await station.accept(*[outgoing(f"{run}-{name}", run) for name in ("first", "bad", "last")])
    await until(lambda: consumer.stopped_at is not None)
    await asyncio.sleep(0.5)
    assert not station.health.ready().is_well
    assert f"{run}-last" not in station.seen
    is_repaired = True
    for task in station.tasks[1:]:
        task.cancel()
    await asyncio.gather(*station.tasks[1:], return_exceptions=True)
    station.consume("tasks", handle)
    await until(lambda: f"{run}-last" in station.seen)
    assert [name for name in station.seen if name.startswith(run)] == [
        f"{run}-first",
        f"{run}-bad",
        f"{run}-last",
    ]


async def test_replicas_that_come_and_go_write_each_record_once(station: Station) -> None:
    """Three replicas join and leave while records flow; epochs and inbox leave one effect each."""
    run = uuid.uuid4().hex[:6]
    effects: Counter[str] = Counter()
    station.start(station.relay.run())

    def replica(slot: int) -> list[asyncio.Task[None]]:
        own = Ownership(station.db, station.tables, f"testing-{slot}")

        async def handle(records: Sequence[Record]) -> None:
            async with station.db.transaction() as conn:
                await own.advance(conn, records)
                new = [
                    name
                    for name in (envelope_of(record).id for record in records)
                    if await Inbox(station.tables).first_time(conn, "ejemplo", "t", name, SystemClock().now())
                ]
            effects.update(new)
            await asyncio.sleep(0.05)

        before = len(station.tasks)
        station.consume("tasks", handle, slot=slot, ownership=own)
        return station.tasks[before:]

    async def leave(tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    replica(0)
    others: list[list[asyncio.Task[None]]] = []
    for number in range(300):
        await station.accept(outgoing(f"{run}-{number}", f"{run}-{number % 17}"))
        if number in {60, 120}:
            others.append(replica(1 + len(others)))
        if number in {200, 250}:
            await leave(others.pop())
        await asyncio.sleep(0.02)
    await until(lambda: sum(name.startswith(run) for name in effects) >= 300, 60)
    assert {effects[f"{run}-{number}"] for number in range(300)} == {1}
    assert station.crashes == []


@pytest.fixture
def own_kafka() -> Iterator[KafkaCluster]:
    """A broker that this test may stop and kill."""
    with kafka_cluster() as cluster:
        if cluster.outside:
            pytest.skip("a cluster from outside is not ours to kill")
        yield cluster


async def test_kafka_away_at_the_start_and_killed_in_between(own_kafka: KafkaCluster, tmp_path: Path) -> None:
    """Nothing is lost and nobody is restarted by hand; the order per key holds over the kill."""
    await asyncio.to_thread(own_kafka.stop)
    station = Station(own_kafka.bootstrap, tmp_path)
    await station.db.create_all(station.metadata)
    station.start(station.relay.run())
    station.consume("tasks")
    await station.accept(*[outgoing(f"a{n}", "k") for n in range(10)])
    await asyncio.sleep(2)
    assert station.seen == []
    await asyncio.to_thread(own_kafka.start)
    await until(lambda: len(station.seen) >= 10, 60)
    await asyncio.to_thread(own_kafka.kill)
    await station.accept(*[outgoing(f"b{n}", "k") for n in range(10)])
    await asyncio.sleep(1)
    await asyncio.to_thread(own_kafka.start)
    await until(lambda: len(set(station.seen)) >= 20, 60)
    assert list(dict.fromkeys(station.seen)) == [f"{run}{n}" for run in "ab" for n in range(10)]
    await station.rests_at(0)
    await station.close()
