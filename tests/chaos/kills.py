"""End processes with -9 while the load runs, and time how long each is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx

from municipio.stack import Stack
from tests.chaos.script import Kill

LOOK_EVERY_S = 0.1
BACK_WITHIN_S = 60.0


@dataclass(slots=True)
class Killer:
    """Attributes: ``recovered_s`` of each kill, by process; ``missed`` kills found nothing to kill."""

    stack: Stack
    recovered_s: list[tuple[str, float]] = field(default_factory=list)
    missed: int = 0

    async def play(self, kills: Sequence[Kill], done: Callable[[], float]) -> None:
        """Kill each process once its share of the load is done; ends when all are back."""
        watches = []
        for kill in kills:
            while done() < kill.at:
                await asyncio.sleep(LOOK_EVERY_S)
            watches.append(asyncio.create_task(self._kill(kill.process)))
        await asyncio.gather(*watches)

    async def _kill(self, process: str) -> None:
        until_s = time.monotonic() + BACK_WITHIN_S
        while not (dead := await asyncio.to_thread(self.stack.kill, process)):
            if time.monotonic() > until_s:
                self.missed += 1
                return
            await asyncio.sleep(LOOK_EVERY_S)  # Still on its way back from another death.
        began_s = time.monotonic()
        while not await self._is_back(process, dead):
            if time.monotonic() > until_s:
                self.missed += 1
                return
            await asyncio.sleep(LOOK_EVERY_S)
        self.recovered_s.append((process, time.monotonic() - began_s))

    async def _is_back(self, process: str, dead: int) -> bool:
        pids = await asyncio.to_thread(self.stack.pids, process)
        return bool(pids) and dead not in pids and await _is_ready(self.stack, process)


async def is_up(stack: Stack, process: str, within_s: float) -> bool:
    """Say whether a process runs and does its work, waiting for it so long."""
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        if await asyncio.to_thread(stack.pids, process) and await _is_ready(stack, process):
            return True
        await asyncio.sleep(LOOK_EVERY_S)
    return False


async def _is_ready(stack: Stack, process: str) -> bool:
    url = (stack.urls | stack.copy.replica_urls).get(process)
    if url is None:
        return True  # A relay has no door of its own.
    async with httpx.AsyncClient(timeout=2, trust_env=False) as http:
        try:
            return (await http.get(f"{url}/readyz")).is_success
        except httpx.HTTPError:
            return False
