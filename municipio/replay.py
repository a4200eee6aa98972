"""Feed recorded readings through the running system's doors, under the town's clock."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import httpx

from municipio.errors import WrongUse
from municipio.player import Player, Progress, Summary, Target, insistently, moments
from municipio.profiles import recorded
from municipio.rows import FileUnreadable, Recorded
from schemas.municipality.profile import Profile
from services.runtime.clock import MAX_RATE, TownClock

__all__ = ["Speed", "Summary", "Target", "run", "terminal_progress"]

TIMEOUT_S: Final = 20.0
Speed = float | Literal["max"]


def run(
    files: Sequence[Path],
    target: Target,
    *,
    profile: Profile | None = None,
    speed: Speed = "max",
    since: datetime | None = None,
    until: datetime | None = None,
    rate_after: float = 1.0,
    progress: Progress | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Summary:
    """Play files and return what became of their readings.

    Args:
        files: Played together, in the order of their times.
        target: The running copy.
        profile: How the files look; without it the canonical form.
        speed: Town seconds a real second, or ``max``: step from one reading or due time to the next.
        since: Play only readings observed from here on.
        until: Play only readings observed before this.
        rate_after: How the town's clock goes on afterwards, also after an interruption.
        progress: Called now and then with what was played so far.
        transport: Stands for the network in tests.

    Raises:
        WrongUse: A file cannot be read by this profile, or the speed is none.
        Refused: The town's clock already stands behind the first reading.
        DependencyDown: A service does not answer or does not come to rest.
    """
    if speed != "max" and not 0 < speed <= MAX_RATE:
        raise WrongUse(f"--speed: {speed} is not max and not between 0 and {MAX_RATE:g}.")
    summary = Summary([str(path) for path in files])
    try:
        played = _within(recorded(files, profile, summary.findings), since, until)
        asyncio.run(_run(summary, played, target, speed, rate_after, progress, transport))
    except FileUnreadable as err:
        raise WrongUse(str(err)) from err
    return summary


def terminal_progress() -> contextlib.AbstractContextManager[Progress]:
    """Return a progress line on stderr, which shows only on a terminal."""
    return _terminal_progress()


async def _run(
    summary: Summary,
    readings: Iterable[Recorded],
    target: Target,
    speed: Speed,
    rate_after: float,
    progress: Progress | None,
    transport: httpx.AsyncBaseTransport | None,
) -> None:
    started_s = time.monotonic()
    headers = {"Authorization": f"Bearer {target.admin_token}"}
    client = httpx.AsyncClient(headers=headers, timeout=TIMEOUT_S, trust_env=False, transport=transport)
    async with client as http, _key(http, target) as key:
        player = Player(summary, target, http, key, progress or (lambda _: None))
        try:
            if speed == "max":
                await player.steps(moments(readings))
            else:
                await player.runs(moments(readings), speed)
        finally:
            summary.duration_s = time.monotonic() - started_s
            if summary.town_now is not None:
                at = TownClock(target.town_clock_file).now()
                TownClock.write(target.town_clock_file, at, rate_after)


def _within(
    readings: Iterable[Recorded], since: datetime | None, until: datetime | None
) -> Iterator[Recorded]:
    for reading in readings:
        observed_at = datetime.fromisoformat(reading.body["observed_at"])
        if (since is None or observed_at >= since) and (until is None or observed_at < until):
            yield reading


@contextlib.asynccontextmanager
async def _key(http: httpx.AsyncClient, target: Target) -> AsyncIterator[str]:
    """Return the key to post with; one that is made here is revoked at the end."""
    if target.key is not None:
        yield target.key
        return
    keys = f"{target.urls['ingest']}/admin/v1/keys"
    asked = {"municipality": target.municipality, "name": "replay"}
    made = (await insistently(http, "POST", keys, json=asked)).json()
    try:
        yield made["key"]
    finally:
        with contextlib.suppress(httpx.HTTPError):
            await http.delete(f"{keys}/{made['key_id']}", params={"municipality": target.municipality})


@contextlib.contextmanager
def _terminal_progress() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    with Bar(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("…")

        def show(summary: Summary) -> None:
            town = f"{summary.town_now:%Y-%m-%d %H:%M}" if summary.town_now else "…"
            bar.update(task, description=f"{town} UTC  {summary.readings} readings  {summary.steps} steps")

        yield show
