"""When is a town whole again after it lost what it writes to?"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

import httpx

from municipio.errors import MunicipioError
from tests.chaos.campaign import TOWN, Scene

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
    while time.monotonic() - began_s < WITHIN_S:
        if (
            scene.load.answers[202] > taken
            and await _is_ready(scene)
            and await asyncio.to_thread(_folded, scene) > before.accepted
        ):
            return time.monotonic() - began_s
        await asyncio.sleep(LOOK_EVERY_S)
    return None


async def _is_ready(scene: Scene) -> bool:
    urls, token = scene.stack.urls, scene.stack.admin_token
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(headers=headers, timeout=5, trust_env=False) as http:
        try:
            for name in urls.keys() - {"carrier"}:
                if not (await http.get(f"{urls[name]}/readyz")).is_success:
                    return False
            spooled = await http.get(f"{urls['door']}/spool", params={"after": 0, "limit": 1})
            return not spooled.raise_for_status().json()["items"]
        except httpx.HTTPError:
            return False


def _folded(scene: Scene) -> int:
    """Return how many readings triage has folded; 0 while it cannot say."""
    try:
        rows = scene.stack.client().items("triage", "/admin/v1/verdicts", municipality=TOWN)
    except MunicipioError:
        return 0
    return sum(row["count"] for row in rows)
