"""Post readings as sensor networks do: again and again until the door says that they are stored."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import httpx

from tests.chaos.script import Script

ROWS_A_POST = 50
AGAIN_S = 0.1
GIVE_UP_S = 120.0
LATER = frozenset({429, 503})

Json = dict[str, Any]


class NotTaken(Exception):
    """The door did not take a posting in two minutes, or refused rows of it."""


class Load:
    """The client's side of a run.

    Attributes:
        accepted: Every row that was answered 2xx, in that order; what the oracle holds the town to.
        done: Share of the rounds that were posted.
        answers: How often each status was answered; 0 where nobody answered.
        bare_refusals: 429 or 503 without ``Retry-After``.
        calls: Each posting tried, in that order: when it began, how long it took, what was answered.
    """

    def __init__(self, url: str, key: str, now: Callable[[], datetime]) -> None:
        self.accepted: list[Json] = []
        self.done = 0.0
        self.longest_wait_s = 0.0
        self.answers: Counter[int] = Counter()
        self.bare_refusals = 0
        self.calls: list[tuple[float, float, int]] = []
        self._now = now
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=10, trust_env=False)

    async def play(self, script: Script, duration_s: float) -> None:
        """Post every round, spread over ``duration_s``; a door that is away makes it longer."""
        began_s = time.monotonic()
        async with self._http:
            for round_ in range(script.rounds):
                behind_s = began_s + duration_s * round_ / script.rounds - time.monotonic()
                await asyncio.sleep(max(0.0, behind_s))
                rows = self._rows(script, round_)
                await self._post_all(rows)
                if round_ in script.resent:
                    await self._post_all(rows)
                self.done = (round_ + 1) / script.rounds

    def _rows(self, script: Script, round_: int) -> list[Json]:
        at = self._now().isoformat()
        return [
            {
                "sensor_id": gauge,
                "property": "river_level",
                "value": values[round_],
                "unit": "m",
                "observed_at": at,
            }
            for gauge, values in script.series.items()
        ]

    async def _post_all(self, rows: Sequence[Json]) -> None:
        parts = [rows[start : start + ROWS_A_POST] for start in range(0, len(rows), ROWS_A_POST)]
        await asyncio.gather(*(self._post(part) for part in parts))

    async def _post(self, rows: Sequence[Json]) -> None:
        began_s = time.monotonic()
        while time.monotonic() - began_s < GIVE_UP_S:
            call_s = time.monotonic()
            try:
                answer = await self._http.post("/v1/readings", json=list(rows))
            except httpx.TransportError:
                answer = None
            self._note(call_s, answer)
            if answer is not None and answer.status_code == 202:
                if answer.json()["rejected_count"]:
                    raise NotTaken(answer.text[:300])
                self.accepted += rows
                self.longest_wait_s = max(self.longest_wait_s, time.monotonic() - began_s)
                return
            if answer is not None and answer.status_code not in LATER:
                raise NotTaken(f"{answer.status_code}: {answer.text[:300]}")
            await asyncio.sleep(AGAIN_S)
        raise NotTaken("the door was away for two minutes")

    def _note(self, began_s: float, answer: httpx.Response | None) -> None:
        status = answer.status_code if answer is not None else 0
        self.calls.append((began_s, time.monotonic() - began_s, status))
        self.answers[status] += 1
        if answer is not None and answer.status_code in LATER and "Retry-After" not in answer.headers:
            self.bare_refusals += 1
