"""When is a town whole again after it lost what it writes to?"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from municipio.errors import MunicipioError
from tests.chaos.campaign import TOWN, Scene, say

WITHIN_S = 60.0
LOOK_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Before:
    """How it stood when the trouble began: answers of the door, and how many readings it had accepted."""

    answers: Counter[int]
    accepted: int

    @staticmethod
    def of(scene: Scene) -> Before:
        distinct = {(row["sensor_id"], row["observed_at"]) for row in scene.load.accepted}
        return Before(Counter(scene.load.answers), len(distinct))


async def whole_again_s(scene: Scene, before: Before) -> float | None:
    """Return after how long all was in order; ``None`` when it was not within a minute.

    Every door is ready, a posting is taken again, triage has folded all that was accepted before and more,
    and notify has fetched what phones said meanwhile.
    """
    began_s, taken = time.monotonic(), scene.load.answers[202]
    said = await _spooled(scene, 1000)
    since_s: dict[str, float] = {}
    red: set[str] = set()
    while (away_s := time.monotonic() - began_s) < WITHIN_S:
        holds = {
            "taken": scene.load.answers[202] > taken,
            "ready": not (now_red := await _red(scene)),
            "fetched": await _is_fetched(scene, said),
            "folded": await asyncio.to_thread(_folded, scene) > before.accepted,
        }
        red |= now_red
        since_s = {what: since_s.get(what, away_s) for what, is_so in holds.items() if is_so}
        if all(holds.values()):
            say("   in order again: " + ", ".join(f"{what} {s:.1f} s" for what, s in since_s.items()))
            say(f"   red meanwhile: {', '.join(sorted(red)) or 'nobody'}")
            return time.monotonic() - began_s
        await asyncio.sleep(LOOK_EVERY_S)
    return None


async def _red(scene: Scene) -> set[str]:
    """Return which parts of which services are not ready."""
    urls, red = scene.stack.urls, set()
    async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
        for name in urls.keys() - {"carrier"}:
            try:
                answer = await http.get(f"{urls[name]}/readyz")
            except httpx.HTTPError:
                red.add(f"{name} does not answer")
            else:
                red |= {f"{name} {part}" for part in answer.json()["troubles"]}
    return red


async def _is_fetched(scene: Scene, said: Sequence[int]) -> bool:
    """Say whether notify has all that lay at the webhook door; callbacks go on coming meanwhile."""
    waiting = await _spooled(scene, 1)
    return not said or not waiting or waiting[0] > said[-1]


async def _spooled(scene: Scene, most: int) -> list[int]:
    """Return the numbers of the oldest requests that wait at the webhook door."""
    headers = {"Authorization": f"Bearer {scene.stack.admin_token}"}
    async with httpx.AsyncClient(headers=headers, timeout=5, trust_env=False) as http:
        answer = await http.get(f"{scene.stack.urls['door']}/spool", params={"limit": most})
        return [item["seq"] for item in answer.raise_for_status().json()["items"]]


def _folded(scene: Scene) -> int:
    """Return how many readings triage has folded; 0 while it cannot say."""
    try:
        rows = scene.stack.client().items("triage", "/admin/v1/verdicts", municipality=TOWN)
    except MunicipioError:
        return 0
    return sum(row["count"] for row in rows)
