"""Time until what piled up during an outage is through, and judge how the door answered meanwhile."""

from __future__ import annotations

import asyncio
import time

from municipio.errors import MunicipioError
from tests.chaos.campaign import TOWN, Outcome, Scene

LOOK_EVERY_S = 0.3
WITHIN_S = 120.0


async def drained(scene: Scene, since_s: float, within_s: float = WITHIN_S) -> float:
    """Return how long after ``since_s`` all that was accepted by now is folded and nothing older waits.

    Raises:
        TimeoutError: Something still waits.
    """
    owed = len({(row["sensor_id"], row["observed_at"]) for row in scene.load.accepted})
    at = scene.clock.now()
    async with asyncio.timeout(within_s):
        while not await asyncio.to_thread(_is_through, scene, owed, at.timestamp()):
            await asyncio.sleep(LOOK_EVERY_S)
    return time.monotonic() - since_s


def _is_through(scene: Scene, owed: int, at: float) -> bool:
    client = scene.stack.client()
    try:
        verdicts = client.items("triage", "/admin/v1/verdicts", municipality=TOWN)
        folded = sum(row["count"] for row in verdicts)
        waited = [_oldest_s(client.get(name, "/admin/v1/status")) for name in ("triage", "notify")]
    except MunicipioError:
        return False
    return folded >= owed and max(waited) <= scene.clock.now().timestamp() - at


def _oldest_s(status: dict[str, dict[str, float | None]]) -> float:
    return max((age or 0.0 for age in status["outbox_oldest_s"].values()), default=0.0)


def judge_door(
    scene: Scene, outcome: Outcome, since_s: float, until_s: float, p99_ms_most: float | None = None
) -> None:
    """Note how ingest answered what was posted in that span; only 2xx, in time, keeps the promise."""
    calls = [(took_s, status) for at, took_s, status in scene.load.calls if since_s <= at <= until_s]
    refused = [status for _, status in calls if not 200 <= status < 300]
    p99_ms = 1000 * sorted(took_s for took_s, _ in calls)[int(len(calls) * 0.99)] if calls else 0.0
    outcome.facts |= {"answers": len(calls), "refused": len(refused), "answer_p99_ms": round(p99_ms, 1)}
    if not calls or refused:
        outcome.broken.append(f"ingest refused {len(refused)} of {len(calls)} postings: {set(refused)}")
    if p99_ms_most is not None and p99_ms > p99_ms_most:
        outcome.broken.append(f"ingest took {p99_ms:.0f} ms (p99), {p99_ms_most:.0f} at most are allowed")
