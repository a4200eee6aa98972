"""Bring a town to rest after a load: let what is due happen, up to a horizon of town time."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import httpx

from municipio.player import insistently
from municipio.quiet import KafkaTraffic, Rest
from municipio.stack import Stack
from services.runtime.clock import TownClock

WITHIN_S = 180.0
LOOK_EVERY_S = 0.2


async def to_rest(stack: Stack, horizon: timedelta) -> datetime:
    """Let the town's clock run for ``horizon``, stop it, wait until nothing is under way; return its time."""
    path = stack.copy.clock_file
    clock = TownClock(path)
    end = clock.now() + horizon
    while clock.now() < end:
        await asyncio.sleep(LOOK_EVERY_S)
    TownClock.write(path, end, 0)
    headers = {"Authorization": f"Bearer {stack.admin_token}"}
    async with (
        httpx.AsyncClient(headers=headers, timeout=20, trust_env=False) as http,
        KafkaTraffic(stack.bootstrap) as traffic,
    ):
        await insistently(http, "POST", f"{stack.urls['ingest']}/admin/v1/tick")
        await Rest(http, stack.urls, traffic, within_s=WITHIN_S).until_quiet(end)
    return end
