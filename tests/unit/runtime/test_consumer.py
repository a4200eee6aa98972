"""What happens to one batch, without a broker: acknowledged, read again, or stood still at."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError
from faststream.exceptions import NackMessage

from services.runtime import consumer as consumer_module
from services.runtime.consumer import Consumer, pause_s, record_of
from services.runtime.errors import DatabaseDown, Fenced, OursMalformed, ReadFrom
from services.runtime.fence import Gate
from services.runtime.health import Health
from services.runtime.kafka import raw_decoder, safe_parser
from services.runtime.records import Record

TP = TopicPartition("incidents", 0)


def raw(
    offset: int, headers: Sequence[tuple[str, bytes | None]] = (), value: bytes | None = b"{}"
) -> ConsumerRecord:
    return ConsumerRecord("incidents", 0, offset, 0, 0, b"k", value, None, 1, 2, tuple(headers))


@dataclass
class Message:
    raw_message: tuple[ConsumerRecord, ...]
    acked: int = 0
    commit_fails: bool = False
    client: Client | None = None

    async def nack(self) -> None:
        assert self.client is not None
        self.client.moved.append("batch")

    async def ack(self) -> None:
        if self.commit_fails:
            raise CommitFailedError
        self.acked += 1


@dataclass
class Client:
    paused: list[TopicPartition] = field(default_factory=list)
    moved: list[object] = field(default_factory=list)

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.moved.append((place, offset))

    def assignment(self) -> set[TopicPartition]:
        return {TP}

    def pause(self, *places: TopicPartition) -> None:
        self.paused += places


class Stage:
    """A consumer whose handler does what ``outcomes`` says, one per batch."""

    def __init__(self) -> None:
        self.handled: list[int] = []
        self.outcomes: list[Exception] = []
        self.crashes: list[str] = []
        self.gate, self.health, self.client = Gate(), Health("testing"), Client()
        self.consumer = Consumer(
            "incidents", self._handle, self.gate, self.health, self.crashes.append, lambda: self.client
        )

    async def _handle(self, records: Sequence[Record]) -> None:
        if self.outcomes:
            raise self.outcomes.pop(0)
        self.handled += [record.offset for record in records]

    async def batch(self, *offsets: int, **more: bool) -> Message:
        message = Message(tuple(raw(offset) for offset in offsets), client=self.client, **more)
        await self.consumer.on_batch(message)
        return message


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(consumer_module, "RETRY_S", 0)
    it = Stage()
    await it.gate.on_partitions_assigned([TP])
    return it


async def test_a_handled_batch_is_acknowledged(stage: Stage) -> None:
    """Once, after the handler."""
    assert (await stage.batch(0, 1)).acked == 1
    assert stage.handled == [0, 1]


def test_a_database_that_is_back_is_found_soon() -> None:
    """The pause doubles from a quarter of a second to three seconds; a long outage makes it no longer."""
    assert [pause_s(tries) for tries in (1, 2, 3, 4, 5, 1000)] == [0.25, 0.5, 1.0, 2.0, 3.0, 3.0]


async def test_a_busy_dependency_means_the_batch_is_read_again(stage: Stage) -> None:
    """Not acknowledged, not crashed; red after a while, green when it works."""
    stage.outcomes = [DatabaseDown("away")] * 5
    for _ in range(5):
        with pytest.raises(NackMessage):
            await stage.batch(0)
    assert not stage.health.ready().is_well
    assert stage.health.alive().is_well
    await stage.batch(0)
    assert stage.health.ready().is_well
    assert (stage.handled, stage.crashes) == ([0], [])


async def test_what_failed_before_a_rebalance_keeps_nobody_red(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another replica has the batch now; on a topic without traffic none would come to say so."""
    monkeypatch.setattr(consumer_module, "WATCH_EVERY_S", 0.01)
    stage.outcomes = [DatabaseDown("away")] * consumer_module.RED_AFTER_TRIES
    for _ in range(consumer_module.RED_AFTER_TRIES):
        with pytest.raises(NackMessage):
            await stage.batch(0)
    stage.consumer._client = lambda: None
    watching = asyncio.create_task(stage.consumer.watch(is_needed=False))
    await asyncio.sleep(0.05)
    assert not stage.health.ready().is_well, "the batch comes again here"
    await stage.gate.on_partitions_revoked([TP])
    await stage.gate.on_partitions_assigned([])
    async with asyncio.timeout(5):
        while not stage.health.ready().is_well:
            await asyncio.sleep(0.005)
    watching.cancel()


async def test_a_consumer_that_never_reached_the_broker_is_not_ready() -> None:
    """Red until its first assignment, be it of no partition; not dead, for a restart would not help."""
    stage = Stage()
    stage.consumer._client = lambda: None
    watching = asyncio.create_task(stage.consumer.watch())
    await asyncio.sleep(0)
    assert list(stage.health.ready().troubles) == ["consumer:incidents"]
    assert stage.health.alive().is_well
    await stage.gate.on_partitions_assigned([])
    await asyncio.sleep(0.01)
    assert stage.health.ready().is_well
    watching.cancel()


async def test_at_a_record_of_ours_that_cannot_be_read_it_stops_for_good(stage: Stage) -> None:
    """Never acknowledged, paused, /readyz red and saying where; also after the next assignment."""
    stage.outcomes = [OursMalformed("incidents", 0, 7, "value.invalid: level")]
    for _ in range(2):
        with pytest.raises(NackMessage):
            await stage.batch(7)
    assert stage.client.paused == [TP, TP]
    assert stage.handled == []
    assert "incidents[0]@7" in stage.health.ready().troubles["consumer:incidents"]
    assert stage.health.alive().is_well, "a restart would not help"


async def test_what_stopped_stays_red_after_a_rebalance(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the record's batch had been put off before: nobody else can read it either."""
    monkeypatch.setattr(consumer_module, "WATCH_EVERY_S", 0.01)
    stage.outcomes = [DatabaseDown("away"), OursMalformed("incidents", 0, 7, "value.invalid: level")]
    for _ in range(2):
        with pytest.raises(NackMessage):
            await stage.batch(7)
    await stage.gate.on_partitions_revoked([TP])
    await stage.gate.on_partitions_assigned([TP])
    stage.consumer._client = lambda: None
    watching = asyncio.create_task(stage.consumer.watch(is_needed=False))
    await asyncio.sleep(0.05)
    assert "consumer:incidents" in stage.health.ready().troubles
    watching.cancel()


async def test_a_broken_invariant_crashes(stage: Stage) -> None:
    """The manager starts the process again; nothing was acknowledged."""
    stage.outcomes = [KeyError("no such incident")]
    with pytest.raises(NackMessage):
        await stage.batch(0)
    assert stage.crashes == ["consumer of incidents: KeyError"]


async def test_a_commit_that_fails_is_only_a_repeat(stage: Stage) -> None:
    """The work is saved; the batch comes again and is recognised by its ids."""
    message = await stage.batch(0, commit_fails=True)
    assert (message.acked, stage.handled, stage.crashes) == (0, [0], [])


async def test_nothing_is_handled_before_the_gate_opens() -> None:
    """Records arrive before the epochs are raised; they wait."""
    stage = Stage()
    waiting = asyncio.create_task(stage.batch(0))
    await asyncio.sleep(0)
    assert stage.handled == []
    await stage.gate.on_partitions_assigned([TP])
    assert (await waiting).acked == 1


async def test_a_batch_overtaken_by_a_rebalance_is_neither_handled_nor_acknowledged(stage: Stage) -> None:
    """An acknowledgement would cover records that nobody handled."""
    await stage.gate.busy.acquire()
    waiting = asyncio.create_task(stage.batch(0))
    await asyncio.sleep(0)
    stage.gate.busy.release()
    await stage.gate.on_partitions_revoked([TP])
    await stage.gate.on_partitions_assigned([TP])
    with pytest.raises(NackMessage):
        await waiting
    assert stage.handled == []


async def test_fenced_is_a_repeat_not_a_crash(stage: Stage) -> None:
    """Another owner: rolled back, read again."""
    stage.outcomes = [Fenced("owned by another process")]
    with pytest.raises(NackMessage):
        await stage.batch(0)
    assert stage.crashes == []


async def test_cancelling_acknowledges_nothing(stage: Stage) -> None:
    """SIGTERM in the middle of a batch: it comes again."""
    stage.outcomes = []
    stage.gate.ready.clear()
    waiting = asyncio.create_task(stage.batch(0))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_headers_and_tombstones_never_break_a_record() -> None:
    """No value, no header value, no UTF-8: all of it is bytes."""
    record = record_of(raw(3, [("a", None), ("b", b"\xff")], None))
    assert (record.headers, record.value, record.key) == ((("a", b""), ("b", b"\xff")), b"", b"k")


async def test_the_parser_shows_faststream_no_header() -> None:
    """FastStream decodes headers before our code runs; the records keep theirs."""
    batch = (raw(0, [("ce_id", b"\xff")]), raw(1, [("x", None)]))
    shown = []

    async def original(records: tuple[ConsumerRecord, ...]) -> Message:
        shown.extend(records)
        return Message(records)

    parsed = await safe_parser(batch, original)
    assert [record.headers for record in shown] == [(), ()]
    assert parsed.raw_message == batch


async def test_the_decoder_guesses_nothing() -> None:
    """Bytes stay bytes."""

    assert await raw_decoder(SimpleNamespace(body=[b"{}", b"\xff"])) == [b"{}", b"\xff"]


async def test_missing_records_are_read_first(stage: Stage) -> None:
    """The batch goes back, and then the partition to where it must be read from; others stay alone."""
    stage.outcomes = [ReadFrom({("incidents", 0): 3, ("incidents", 5): 1})]
    with pytest.raises(NackMessage):
        await stage.batch(7)
    assert stage.client.moved == ["batch", (TP, 3)]
    assert (stage.handled, stage.crashes) == ([], [])
    assert stage.health.ready().is_well, "nobody was away"


async def test_a_handler_that_hangs_is_not_alive_in_time_and_then_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Liveness counts from when the batch began, also when nothing else waits; then it is restarted."""
    monkeypatch.setattr(consumer_module, "WATCH_EVERY_S", 0.01)
    monkeypatch.setattr(consumer_module, "STUCK_AFTER_S", 0.1)
    monkeypatch.setattr(consumer_module, "HUNG_AFTER_S", 0.2)
    stage, hangs = Stage(), asyncio.Event()

    async def never(_records: Sequence[Record]) -> None:
        await hangs.wait()

    stage.consumer._handle = never
    stage.consumer._client = lambda: None
    await stage.gate.on_partitions_assigned([TP])
    began_s = asyncio.get_running_loop().time()
    tasks = [asyncio.create_task(stage.batch(0)), asyncio.create_task(stage.consumer.watch())]
    async with asyncio.timeout(5):
        while stage.health.alive().is_well:
            await asyncio.sleep(0.005)
        assert asyncio.get_running_loop().time() - began_s >= 0.09
        assert stage.crashes == []
        while not stage.crashes:
            await asyncio.sleep(0.005)
    assert "consumer of incidents: a batch" in stage.crashes[0]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
