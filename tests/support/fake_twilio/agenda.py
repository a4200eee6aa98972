"""What the carrier will do later, in order of due time; played by a loop or stepped by a story."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from collections.abc import Awaitable, Callable

from tests.support.fake_twilio.clock import Clock

Deed = Callable[[], Awaitable[None]]
AT_ONCE = 1024  # people who try again and calls that last hold a place each
MOST_PER_SETTLE = 1_000_000

log = logging.getLogger("fake_twilio")


class Agenda:
    """A heap of deeds: ``run`` plays them at their time, side by side, ``settle`` those due, in order."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Deed]] = []
        self._order = itertools.count()
        self._changed = asyncio.Event()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._playing: set[asyncio.Task[None]] = set()
        self._asleep: set[asyncio.Event] = set()
        self._is_played = False

    def after(self, seconds: float, deed: Deed) -> None:
        self.at(self._clock.elapsed_s() + max(0.0, seconds), deed)

    def at(self, due_s: float, deed: Deed) -> None:
        heapq.heappush(self._heap, (due_s, next(self._order), deed))
        self._changed.set()

    def next_due_s(self) -> float | None:
        """Return the due time of the next deed on the carrier's clock, or ``None``."""
        return self._heap[0][0] if self._heap else None

    def busy(self) -> int:
        """Count deeds that are due or being done."""
        now_s = self._clock.elapsed_s()
        return len(self._playing) - len(self._asleep) + sum(due_s <= now_s for due_s, _, _ in self._heap)

    def clear(self) -> None:
        """Forget what is due later; deeds that wait go on at once."""
        self._heap.clear()
        for over in list(self._asleep):
            over.set()

    async def wait(self, seconds: float, over: asyncio.Event | None = None) -> None:
        """Wait inside a deed, visibly to ``next_due_s``, at most until somebody sets ``over``.

        Stepped by hand, what people say takes no time.
        """
        if not self._is_played:
            return
        over = over or asyncio.Event()

        async def wake() -> None:
            over.set()

        self.after(seconds, wake)
        self._asleep.add(over)
        try:
            await over.wait()
        finally:
            self._asleep.discard(over)

    async def settle(self) -> int:
        """Do everything that is due now, one after the other, also what comes due by it; return how many."""
        done = 0
        while (deed := self._pop()) is not None and done < MOST_PER_SETTLE:
            await deed()
            done += 1
        return done

    async def run(self) -> None:
        """Play deeds at their time until cancelled."""
        self._is_played = True
        try:
            while True:
                await self._wait()
                while (deed := self._pop()) is not None:
                    await self._room.acquire()
                    task = asyncio.create_task(self._play(deed))
                    self._playing.add(task)
                    task.add_done_callback(self._playing.discard)
        finally:
            self._is_played = False
            for task in list(self._playing):
                task.cancel()

    async def _play(self, deed: Deed) -> None:
        try:
            await deed()
        except Exception:  # a broken deed must show in the log and not stop the others
            log.exception("a deed of the fake carrier failed")
        finally:
            self._room.release()

    async def _wait(self) -> None:
        self._changed.clear()
        due_s = self.next_due_s()
        wait_s = None if due_s is None else self._clock.real_wait_s(due_s)
        if wait_s == 0.0:
            return
        try:
            await asyncio.wait_for(self._changed.wait(), wait_s)
        except TimeoutError:
            return

    def _pop(self) -> Deed | None:
        if self._heap and self._heap[0][0] <= self._clock.elapsed_s():
            return heapq.heappop(self._heap)[2]
        return None
