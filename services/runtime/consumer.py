"""What happens to one batch: handled and acknowledged, read again, or stood still at."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faststream.exceptions import NackMessage

from services.runtime import metrics
from services.runtime.errors import Fenced, OursMalformed, ReadFrom, Retriable
from services.runtime.fence import Gate, Ownership
from services.runtime.health import Health
from services.runtime.records import Record

log = structlog.get_logger()

Handle = Callable[[Sequence[Record]], Awaitable[None]]

RETRY_S = 0.25
RETRY_S_MAX = 3.0  # A database that is back finds us within it, however long it was away.
WATCH_EVERY_S = 5.0
STUCK_AFTER_S = 20.0
HUNG_AFTER_S = 60.0  # Longer than any statement may run, and than all small transactions of a batch.
RED_AFTER_TRIES = 4


class Consumer:
    """One topic's batches. Only what was handled whole, under the same assignment, is acknowledged."""

    def __init__(
        self,
        topic: str,
        handle: Handle,
        gate: Gate,
        health: Health,
        crash: Callable[[str], Any],
        client: Callable[[], Any],
    ) -> None:
        self.topic = self._topic = topic
        self._handle = handle
        self._gate = gate
        self._health = health
        self._crash = crash
        self._client = client
        self._part = f"consumer:{topic}"
        self._tries = 0
        self._tried_in_turn = 0
        self._handled = 0
        self._in_work_since: float | None = None
        self.stopped_at: OursMalformed | None = None

    async def on_batch(self, message: Any) -> None:
        """Handle one batch.

        Raises:
            NackMessage: FastStream moves the position back to the batch's first records.
        """
        turn = self._gate.turn
        if self.stopped_at is not None:
            self._stands_still()
        await self._gate.ready.wait()
        try:
            async with self._gate.busy:
                await self._work(message, turn)
        except NackMessage:
            raise
        except ReadFrom as err:
            log.info("consumer.position_moved", topic=self._topic, reason=str(err))
            await message.nack()  # FastStream moves to the batch's first records, and only once.
            self.read_from(err.places)
            raise NackMessage from err
        except Retriable as err:
            await self._tries_later(err)
        except OursMalformed as err:
            self._stops(err)
        except Exception as err:
            log.critical("consumer.failed", topic=self._topic, error=type(err).__name__, exc_info=err)
            self._crash(f"consumer of {self._topic}: {type(err).__name__}")
            raise NackMessage from err

    async def _work(self, message: Any, turn: int) -> None:
        records = [record_of(raw) for raw in message.raw_message]
        if turn != self._gate.turn or not all(self._gate.owns(record) for record in records):
            raise NackMessage  # Assigned anew meanwhile: an acknowledgement would cover what nobody handled.
        self._in_work_since = time.monotonic()
        try:
            await self._handle(records)
        finally:
            self._in_work_since = None
        await self._acknowledge(message)
        self._succeeded(len(records))

    async def _acknowledge(self, message: Any) -> None:
        try:
            await message.ack()
        except KafkaError as err:  # Handled and saved; it will be read again and recognised.
            log.warning("consumer.commit_failed", topic=self._topic, error=type(err).__name__)

    def _succeeded(self, count: int) -> None:
        self._handled += count
        metrics.HANDLED.labels(self._topic).inc(count)
        if self._tries:
            self._forget_tries()

    def _forget_tries(self) -> None:
        self._tries = 0
        metrics.TRIES.labels(self._topic).set(0)
        self._health.clear(self._part)

    async def _tries_later(self, err: Retriable) -> None:
        if isinstance(err, Fenced) and isinstance(self._gate, Ownership):
            self._gate.fenced()
        self._tries += 1
        self._tried_in_turn = self._gate.turn
        metrics.TRIES.labels(self._topic).set(self._tries)
        wait_s = pause_s(self._tries) * random.uniform(0.5, 1)  # noqa: S311 - jitter, no secret
        log.warning(
            "consumer.batch_postponed", topic=self._topic, reason=str(err), again_in_s=round(wait_s, 2)
        )
        metrics.RETRIED.labels(self._topic).inc()
        if self._tries >= RED_AFTER_TRIES:
            self._health.fail(self._part, str(err))
        await asyncio.sleep(wait_s)  # Nothing is polled meanwhile, heartbeats go on: the consumer is paused.
        raise NackMessage from err

    def _stops(self, err: OursMalformed) -> None:
        self.stopped_at = err
        log.error(
            "consumer.stopped", topic=err.topic, partition=err.partition, offset=err.offset, reason=err.reason
        )
        metrics.STOPPED.labels(self._topic).set(1)
        self._health.fail(self._part, str(err))
        self._stands_still()

    def _stands_still(self) -> None:
        """Stay in the group without reading on: another replica would stop at the same record."""
        client = self._client()
        if client is not None:
            client.pause(*client.assignment())
        raise NackMessage

    def read_from(self, places: Mapping[tuple[str, int], int]) -> None:
        """Read these partitions from there on; those that are not ours now are left alone."""
        client = self._client()
        assigned = client.assignment() if client is not None else frozenset()
        for (topic, partition), offset in places.items():
            if TopicPartition(topic, partition) in assigned:
                client.seek(TopicPartition(topic, partition), offset)

    async def positions(self) -> dict[tuple[str, int], tuple[int, int]]:
        """Return, per partition that is ours, the next offset to read and the end; empty without a broker."""
        client = self._client()
        if client is None or not client.assignment():
            return {}
        try:
            async with asyncio.timeout(3):
                ends = await client.end_offsets(client.assignment())
                return {
                    (place.topic, place.partition): (int(await client.position(place)), int(end))
                    for place, end in ends.items()
                }
        except (KafkaError, TimeoutError, OSError):
            return {}

    async def watch(self, *, is_needed: bool = True) -> None:
        """Tell ``health`` for ever whether this consumer makes progress or has nothing to do.

        Args:
            is_needed: The process is not ready before the broker has once given this consumer its partitions.
        """
        if is_needed:
            await self._assigned_once()
        while True:
            before = self._handled
            if self._tries and self._tried_in_turn != self._gate.turn and self.stopped_at is None:
                self._forget_tries()  # Assigned anew: what failed comes again, or is another replica's.
            lag = await self._lag()
            if lag is not None:
                metrics.LAG.labels(self._topic).set(lag)
            worked_s = self._worked_s()
            if worked_s is None:
                is_idle = not lag or self._tries > 0 or self.stopped_at is not None
                if is_idle or self._handled > before or not self._gate.ready.is_set():
                    self._health.beat(self._part, STUCK_AFTER_S)
            else:
                self._health.beat(self._part, STUCK_AFTER_S - worked_s)
                self._ends_what_hangs(worked_s)
            await self._until_next_look(before)

    async def _assigned_once(self) -> None:
        self._health.fail(self._part, "not yet given its partitions by the broker")
        await self._gate.ready.wait()
        if self.stopped_at is None:
            self._health.clear(self._part)

    async def _until_next_look(self, before: int) -> None:
        await asyncio.sleep(WATCH_EVERY_S)
        if self._handled > before:
            self._health.beat(self._part, STUCK_AFTER_S)

    def _worked_s(self) -> float | None:
        """Return for how long the batch in work has been handled."""
        since = self._in_work_since
        return None if since is None else time.monotonic() - since

    def _ends_what_hangs(self, worked_s: float) -> None:
        """End the process, which nobody else would: its loop turns, only this handler never returns."""
        if worked_s > HUNG_AFTER_S:
            self._crash(f"consumer of {self._topic}: a batch has been handled for {worked_s:.0f} s")

    async def _lag(self) -> int | None:
        """Return how many records are not yet read; ``None`` when the broker does not say."""
        client = self._client()
        if client is None or not client.assignment():
            return None
        try:
            async with asyncio.timeout(3):
                ends = await client.end_offsets(client.assignment())
                return sum(
                    [max(0, int(end) - int(await client.position(place))) for place, end in ends.items()]
                )
        except (KafkaError, TimeoutError, OSError):
            return None


def pause_s(tries: int) -> float:
    """Return the longest wait after so many failures of one batch in a row."""
    return min(RETRY_S * 2.0 ** min(tries - 1, 16), RETRY_S_MAX)


def record_of(raw: ConsumerRecord[Any, Any]) -> Record:
    """Return what aiokafka read; a header without a value reads as empty."""
    headers = tuple((str(name), value or b"") for name, value in raw.headers)
    return Record(raw.topic, raw.partition, raw.offset, raw.key, raw.value or b"", headers, raw.timestamp)
