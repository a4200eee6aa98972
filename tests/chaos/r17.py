"""R17: the disk is full under load, then there is room again; nothing that was answered may be missing."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import psutil

from tests.chaos.campaign import Json, Order, Outcome, Scene, Trial, mortal, play, say
from tests.chaos.recovery import WITHIN_S, Before, whole_again_s

FULL_AT = 0.3
FULL_S = {"ci": 15.0, "night": 120.0}
FILL_EVERY_S = 0.2
DISK_MIB = 64
CHUNK = bytes(64 * 1024)
# Files may not grow at all: every one of ours is longer than this.
QUOTA_BYTES = 4096


class Disk(Protocol):
    """What the services write to."""

    kind: str
    folder: Path

    def fill(self, scene: Scene) -> None:
        """Leave no room; called again and again while the disk is to be full."""

    def free(self, scene: Scene) -> None:
        """Make room."""


class Tmpfs:
    """A small file system of its own, with ballast."""

    kind = "tmpfs"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, scene: Scene) -> None:
        with contextlib.suppress(OSError), (self.folder / "ballast").open("ab", buffering=0) as ballast:
            while ballast.write(CHUNK):
                pass

    def free(self, scene: Scene) -> None:
        (self.folder / "ballast").unlink()


class Quota:
    """A limit on the size of files, on our processes alone, where nothing may be mounted."""

    kind = "quota"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, scene: Scene) -> None:
        self._limit(scene, QUOTA_BYTES)

    def free(self, scene: Scene) -> None:
        self._limit(scene, resource.RLIM_INFINITY)

    def _limit(self, scene: Scene, bytes_most: int) -> None:
        for pid in [pid for name in mortal(scene.stack) for pid in scene.stack.pids(name)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                _, hard = psutil.Process(pid).rlimit(psutil.RLIMIT_FSIZE)
                psutil.Process(pid).rlimit(psutil.RLIMIT_FSIZE, (bytes_most, hard))


def run(order: Order) -> Json:
    with disk(order.folder.with_name(f"{order.folder.name}-disk")) as found:
        return play(order, _trial(found))


@contextlib.contextmanager
def disk(folder: Path) -> Iterator[Disk]:
    """Give a file system that can be filled, or else a folder whose files can be kept from growing."""
    _unmount(folder)
    folder.mkdir(parents=True, exist_ok=True)
    options = ["-o", f"size={DISK_MIB}m,mode=0700", "tmpfs", str(folder)]
    mounted = subprocess.run(["mount", "-t", "tmpfs", *options], check=False, capture_output=True)
    try:
        yield Tmpfs(folder) if mounted.returncode == 0 else Quota(folder)
    finally:
        _unmount(folder)


def _unmount(folder: Path) -> None:
    """Also what an earlier run left behind that was ended with -9."""
    if folder.is_mount():
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _trial(place: Disk) -> Trial:
    async def trouble(scene: Scene) -> Outcome:
        await scene.load_at(FULL_AT)
        before, pids = Before.of(scene), await asyncio.to_thread(_pids, scene)
        await _stays_full(scene, place)
        answered = scene.load.answers - before.answers
        recovered_s = await whole_again_s(scene, before)
        again = {name for name, pid in (await asyncio.to_thread(_pids, scene)).items() if pid != pids[name]}
        broken = broken_promises(answered, scene.load.bare_refusals, recovered_s, again)
        say(f"   full ({place.kind}): {dict(answered)}; back after {recovered_s} s")
        facts = {"disk": place.kind, "refused_503": answered[503], "taken_while_full": answered[202]}
        return Outcome(answered[503], recovered_s=[recovered_s or WITHIN_S], broken=broken, facts=facts)

    async def look_into_the_files(scene: Scene, outcome: Outcome) -> None:
        outcome.broken += await asyncio.to_thread(damaged, place.folder)

    return Trial(
        "R17",
        trouble,
        rounds={"ci": 40, "night": 400},
        round_s=0.5,
        environment={"MUNICIPIO_DATA_DIR": str(place.folder)},
        afterwards=look_into_the_files,
    )


async def _stays_full(scene: Scene, place: Disk) -> None:
    until = asyncio.get_running_loop().time() + FULL_S[scene.order.scale]
    try:
        while asyncio.get_running_loop().time() < until:
            await asyncio.to_thread(place.fill, scene)
            await asyncio.sleep(FILL_EVERY_S)
    finally:
        await asyncio.to_thread(place.free, scene)


def broken_promises(
    answered: Counter[int], bare_refusals: int, recovered_s: float | None, again: set[str]
) -> list[str]:
    """Return what the full disk showed to be broken. Pure.

    A posting may be taken as long as there is room in files that need not grow.

    Args:
        answered: Statuses of the postings that were answered meanwhile.
        again: Processes that are not those of before.
    """
    others = {status: count for status, count in answered.items() if status not in {202, 503}}
    broken = []
    if others:
        broken.append(f"with a full disk the door answered {others}")
    if not answered[503]:
        broken.append("the door refused nothing")
    if bare_refusals:
        broken.append(f"{bare_refusals} refusals came without Retry-After")
    if recovered_s is None:
        broken.append(f"not all was in order again within {WITHIN_S:.0f} s")
    if again:
        broken.append(f"did not go on by themselves: {', '.join(sorted(again))}")
    return broken


def damaged(folder: Path) -> list[str]:
    """Return a sentence on each SQLite file that is not whole, and one if there is none at all."""
    files = sorted(folder.glob("*.sqlite"))
    broken = [] if files else [f"no SQLite file lies in {folder}"]
    for path in files:
        with contextlib.closing(sqlite3.connect(path, timeout=10)) as conn:
            (said,) = conn.execute("PRAGMA integrity_check(1)").fetchone()
        if said != "ok":
            broken.append(f"{path.name}: {said}")
    return broken


def _pids(scene: Scene) -> dict[str, int]:
    return {info.name: info.pid for info in scene.stack.info()}
