"""The port by which the relay publishes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from services.runtime.outbox import Outgoing


class PublishFailed(Exception):
    """A record was not acknowledged. It may still have been written.

    Attributes:
        is_refused: The broker answered and refused this record, or a batch that it stood in.
    """

    def __init__(self, detail: str, *, is_refused: bool) -> None:
        super().__init__(detail)
        self.is_refused = is_refused


class Publisher(Protocol):
    """Where records go. Given up (``close``) after any failure; the relay then makes a new one."""

    async def send(self, batch: Sequence[Outgoing]) -> list[PublishFailed | None]:
        """Publish in the given order; return one result per record, ``None`` for acknowledged.

        Never raises for the broker's sake and never waits without a bound.
        """
        ...

    async def close(self) -> None: ...


class Behind(Protocol):
    """Records that must stand behind all that was accepted before them, as the clock's ticks."""

    def due(self) -> Sequence[Outgoing]:
        """Return what should be published now, or nothing. Asked *before* the sources are read.

        It is published only when the sources, read afterwards, were emptied; else it is dropped and
        asked for again in the next round.
        """
        ...

    def published(self, outgoing: Sequence[Outgoing]) -> None:
        """Learn which of the records due were acknowledged."""
        ...
