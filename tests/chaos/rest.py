"""Bring a town to rest after a load: let all be decided, then let what is due happen up to a horizon."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import httpx

from municipio.player import insistently
from municipio.quiet import KafkaTraffic, Rest
from municipio.stack import Stack
from services.runtime.clock import TownClock

WITHIN_S = 180.0
STEP = timedelta(minutes=1)
# A tick that leaves while the clock is being stopped must not say more than the clock that stands.
AHEAD = timedelta(seconds=5)


async def taken_up(stack: Stack) -> datetime:
    """Let the clock stand until all that was posted was decided and sent; return the town's time."""
    async with _resting(stack) as (http, rest):
        await _stand(stack, http, rest, at := TownClock(stack.copy.clock_file).now() + AHEAD)
    return at


async def to_rest(stack: Stack, horizon: timedelta) -> datetime:
    """Return the town's time once nothing is under way, ``horizon`` after everything was taken up.

    The clock stands until then, and again after each step of the horizon until what is due by then has
    happened: a slow machine shortens nobody's minutes. Time in which nothing is due is passed over.
    """
    async with _resting(stack) as (http, rest):
        dues = await _stand(stack, http, rest, at := TownClock(stack.copy.clock_file).now() + AHEAD)
        end = at + horizon
        while at < end:
            at = min(end, max(at + STEP, next(iter(dues), end)))
            dues = await _stand(stack, http, rest, at)
    return end


@asynccontextmanager
async def _resting(stack: Stack) -> AsyncIterator[tuple[httpx.AsyncClient, Rest]]:
    headers = {"Authorization": f"Bearer {stack.admin_token}"}
    async with (
        httpx.AsyncClient(headers=headers, timeout=20, trust_env=False) as http,
        KafkaTraffic(stack.kafka) as traffic,
    ):
        yield http, Rest(http, stack.urls, traffic, within_s=WITHIN_S)


async def _stand(stack: Stack, http: httpx.AsyncClient, rest: Rest, at: datetime) -> list[datetime]:
    TownClock.write(stack.copy.clock_file, at, 0)
    await insistently(http, "POST", f"{stack.urls['ingest']}/admin/v1/tick")
    return await rest.until_quiet(at)
