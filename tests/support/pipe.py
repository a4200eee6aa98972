"""A broker that is a list: keeps order per partition, and repeats records when a story asks for it."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

from schemas.topics import BY_NAME
from services.runtime.outbox import Outgoing
from services.runtime.publishing import PublishFailed
from services.runtime.records import Record


class Pipe:
    """Where the relays of a story publish. Proves no delivery claim: the smoke tests do that on Kafka."""

    def __init__(self) -> None:
        self.records: dict[str, list[Record]] = defaultdict(list)
        self.is_down = False
        self._read: dict[tuple[str, str], int] = defaultdict(int)

    async def send(self, batch: Sequence[Outgoing]) -> list[PublishFailed | None]:
        if self.is_down:
            return [PublishFailed("away", is_refused=False)] * len(batch)
        for each in batch:
            self.append(each)
        return [None] * len(batch)

    async def close(self) -> None:
        """Nothing to close."""

    def append(self, each: Outgoing) -> Record:
        """Write one record as the broker would; stories use it to forge."""
        topic = BY_NAME.get(each.topic)
        partitions = topic.partitions if topic else 1
        key = each.key.encode() if each.key is not None else None
        partition = each.partition if each.partition is not None else zlib.crc32(key or b"") % partitions
        log = self.records[each.topic]
        offset = sum(record.partition == partition for record in log)
        record = Record(each.topic, partition, offset, key, each.value, tuple(each.envelope.headers()))
        log.append(record)
        return record

    def unread(self, consumer: str, topic: str) -> list[Record]:
        """Return what the consumer has not been given yet, and count it as given."""
        log, place = self.records[topic], (consumer, topic)
        fresh = log[self._read[place] :]
        self._read[place] = len(log)
        return fresh

    def give_back(self, consumer: str, topic: str, count: int) -> None:
        """Take back what the consumer was given last and did not take."""
        self._read[consumer, topic] -= count

    def rewind(self, consumer: str, topic: str) -> None:
        """Give the consumer everything once more: offsets lost, or a rebalance at a bad moment."""
        self._read[consumer, topic] = 0

    def of_type(self, kind: str) -> Iterator[Record]:
        for log in self.records.values():
            for record in log:
                if dict(record.headers).get("ce_type") == kind.encode():
                    yield record
