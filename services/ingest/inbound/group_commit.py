"""Requests that come together share one commit, so that a flood of gauges waits for few disk syncs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from services.ingest.errors import QueueFull
from services.runtime.errors import Retriable

Q = TypeVar("Q")
A = TypeVar("A")

GROUP_MOST: Final = 5000
WAITING_MOST: Final = 50_000


class GroupCommit(Generic[Q, A]):
    """Answers each request only after the transaction that holds it was committed.

    A request that comes while nothing runs is committed at once; those that come meanwhile form the
    next group. There is no waiting for company.

    Args:
        commit: One transaction for the given requests; returns their answers in the same order.
        weigh: How many readings a request carries.
        group_most, waiting_most: Bounds on readings in one transaction and in the queue.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Q]], Awaitable[Sequence[A]]],
        weigh: Callable[[Q], int],
        *,
        group_most: int = GROUP_MOST,
        waiting_most: int = WAITING_MOST,
    ) -> None:
        self._commit = commit
        self._weigh = weigh
        self._group_most = group_most
        self._waiting_most = waiting_most
        self._waiting: deque[tuple[Q, asyncio.Future[A]]] = deque()
        self._weight = 0
        self._worker: asyncio.Task[None] | None = None

    @property
    def busy(self) -> int:
        """Readings that wait or are being committed."""
        return self._weight

    async def submit(self, request: Q) -> A:
        """Return the answer once it is committed.

        Raises:
            QueueFull: Too much waits already.
            Retriable: The database is away; nothing is known to be stored.
        """
        weight = self._weigh(request)
        if self._weight and self._weight + weight > self._waiting_most:
            raise QueueFull("too many readings wait for the database")
        self._weight += weight
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, answer))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await answer

    async def drained(self) -> None:
        """Wait until nothing waits any more; for an orderly end."""
        while self._worker is not None and not self._worker.done():
            await asyncio.wait([self._worker])

    async def _work(self) -> None:
        while self._waiting:
            group = self._next_group()
            try:
                await self._answer(group)
            finally:
                self._weight -= sum(self._weigh(request) for request, _ in group)

    def _next_group(self) -> list[tuple[Q, asyncio.Future[A]]]:
        group: list[tuple[Q, asyncio.Future[A]]] = []
        weight = 0
        while self._waiting:
            weight += self._weigh(self._waiting[0][0])
            if group and weight > self._group_most:
                break
            group.append(self._waiting.popleft())
        return group

    async def _answer(self, group: Sequence[tuple[Q, asyncio.Future[A]]]) -> None:
        try:
            answers = await self._commit([request for request, _ in group])
        except Exception as err:  # every waiting request must be answered, whatever happened
            await self._answer_failure(group, err)
            return
        for (_, future), answer in zip(group, answers, strict=True):
            if not future.done():
                future.set_result(answer)

    async def _answer_failure(self, group: Sequence[tuple[Q, asyncio.Future[A]]], err: Exception) -> None:
        if len(group) > 1 and not isinstance(err, Retriable):
            # One of them cannot be stored; the others shall not suffer for it.
            for alone in group:
                await self._answer([alone])
            return
        for _, future in group:
            if not future.done():
                future.set_exception(err)
