"""Brokers that keep what they were given, and fail as told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.runtime.outbox import Outgoing
from services.runtime.publishing import PublishFailed

LOST = PublishFailed("not acknowledged in time", is_refused=False)
REFUSED = PublishFailed("too large", is_refused=True)

Fate = Callable[[Outgoing], PublishFailed | None]


class Broker:
    """What stands on the topics. ``fate`` says what becomes of a record; a lost one may have been written.

    Like Kafka's idempotent producer, a publisher that failed for a hold accepts nothing more for it.
    """

    def __init__(self, fate: Fate = lambda _: None) -> None:
        self.fate = fate
        self.is_away = False
        self.written: list[Outgoing] = []
        self.batches: list[list[str]] = []
        self.connections = 0

    async def connect(self) -> Publisher:
        if self.is_away:
            raise ConnectionRefusedError
        self.connections += 1
        return Publisher(self)

    @property
    def names(self) -> list[str]:
        return [each.envelope.id for each in self.written]

    def of_key(self, key: str | None) -> list[str]:
        return [each.envelope.id for each in self.written if each.key == key]


class Publisher:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._broken: set[str] = set()
        self._is_closed = False

    async def send(self, batch: Sequence[Outgoing]) -> list[PublishFailed | None]:
        assert not self._is_closed, "a publisher that was given up is used again"
        self._broker.batches.append([each.envelope.id for each in batch])
        return [self._one(each) for each in batch]

    def _one(self, each: Outgoing) -> PublishFailed | None:
        if self._broker.is_away or each.hold in self._broken:
            return LOST
        failure = self._broker.fate(each)
        if failure is None:
            self._broker.written.append(each)
        else:
            self._broken.add(each.hold)
        return failure

    async def close(self) -> None:
        self._is_closed = True
