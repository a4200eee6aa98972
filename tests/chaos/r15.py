"""R15: the machine's clock is set by an hour, repeats a second, changes to summer time; timers fire on."""

from __future__ import annotations

import glob
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from municipio.paths import ROOT
from tests.chaos.campaign import Json, Order, say

TIMERS = {"ci": 500, "night": 5000}
STEP_EVERY_S = {"ci": 4.0, "night": 30.0}
LATE_S_MOST = 2.0
# A timer whose handler looked at the clock a moment before it was due by ours.
EARLY_S_MOST = 0.1
HOUR_S = 3600.0
BEFORE_THE_CHANGE_S = 1.5
# Central European rules in the form that needs no time zone files: an hour at 01:00 UTC of two Sundays.
ZONE = "CET-1CEST,M3.5.0,M10.5.0/3"
SPRING, AUTUMN = 3, 10
LIBRARY = "/usr/lib/*/faketime/libfaketime.so.1"
START_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Firing:
    """``late_s`` by the database's clock, ``at_s`` by the monotonic one."""

    subject: str
    late_s: float
    at_s: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the timers; ``late_s`` is the worst by either clock."""

    missed: int
    double: int
    early: int
    late_s: float


def judged(due_s: Mapping[str, float], firings: Iterable[Firing]) -> Verdict:
    """Compare firings with due times. Pure."""
    fired = list(firings)
    times = Counter(each.subject for each in fired)
    waits_s = [each.at_s - due_s[each.subject] for each in fired]
    return Verdict(
        missed=len(due_s.keys() - times.keys()),
        double=sum(times.values()) - len(times),
        early=sum(wait_s < -EARLY_S_MOST for wait_s in waits_s),
        late_s=max([*waits_s, *(each.late_s for each in fired)], default=0.0),
    )


def change_of_time(year: int, month: int) -> datetime:
    """Return when Central Europe changes its clocks in that month: its last Sunday at 01:00 UTC. Pure."""
    last = datetime(year, month, 31, 1, tzinfo=UTC)
    return last - timedelta(days=(last.weekday() + 1) % 7)


def settings_of_the_clock(now: datetime) -> list[float]:
    """Return by how many seconds the machine's clock is wrong in each stage, right again at the end. Pure."""
    changes = [change_of_time(now.year + 1, month) for month in (SPRING, AUTUMN)]
    to_changes = [(change - now).total_seconds() - BEFORE_THE_CHANGE_S for change in changes]
    return [HOUR_S, 0.0, -HOUR_S, 0.0, -1.0, *to_changes, 0.0]


def run(order: Order) -> Json:
    libraries = glob.glob(LIBRARY)
    if not libraries:
        raise SystemExit("R15 fakes the time with libfaketime: deploy/packages.sh faketime")
    shutil.rmtree(order.folder, ignore_errors=True)
    order.folder.mkdir(parents=True)
    told, path = order.folder / "clock", order.folder / "timers.sqlite"
    every_s, count = STEP_EVERY_S[order.scale], TIMERS[order.scale]
    over_s = every_s * (len(settings_of_the_clock(datetime.now(UTC))) + 1)
    _tell(told, 0.0)
    say(f"R15 sqlite: {count} timers over {over_s:.0f} s")
    command = [sys.executable, "-m", "tests.chaos.timekeeper", str(path), str(count), str(over_s)]
    environment = {**os.environ, **_faked(libraries[0], told), "TZ": ZONE}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) as process:
        try:
            _wait_until_ready(process)
            steps = _set_again_and_again(told, every_s)
            ended = process.wait(over_s + 60)
        finally:
            process.kill()
    return _item(order, path, steps, ended)


def _faked(library: str, told: Path) -> dict[str, str]:
    return {
        "LD_PRELOAD": library,
        "FAKETIME_TIMESTAMP_FILE": str(told),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
        # Else every wait of a thread for the interpreter lasts some milliseconds longer.
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }


def _wait_until_ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    if process.stdout.readline() != b"ready\n":
        raise RuntimeError(f"the timekeeper did not start: {process.wait(START_WITHIN_S)}")


def _set_again_and_again(told: Path, every_s: float) -> int:
    """Set the clock of the timekeeper as planned; return how often."""
    stages = len(settings_of_the_clock(datetime.now(UTC)))
    for stage in range(stages):
        time.sleep(every_s)
        _tell(told, settings_of_the_clock(datetime.now(UTC))[stage])
    return stages


def _tell(told: Path, wrong_s: float) -> None:
    new = told.with_suffix(".new")
    new.write_text(f"{wrong_s:+.3f}\n")
    new.replace(told)


def _item(order: Order, path: Path, steps: int, ended: int) -> Json:
    due_s, firings, seen = _read(path)
    verdict = judged(due_s, firings)
    without_one = judged(due_s, firings[1:])
    is_found = without_one.missed == verdict.missed + 1
    stepped = sum(abs(by_s) >= 0.5 for by_s, _ in seen)
    offsets = {offset_s for _, offset_s in seen}
    broken = [
        *([f"the timekeeper ended with {ended}"] if ended else []),
        *([f"{len(due_s)} timers were set"] if len(due_s) != TIMERS[order.scale] else []),
        *([f"{verdict.early} timers fired before they were due"] if verdict.early else []),
        *([f"a timer fired {verdict.late_s:.1f} s late"] if verdict.late_s > LATE_S_MOST else []),
        *([f"the clock was set {steps} times, {stepped} were seen"] if stepped < steps else []),
        *(["it never changed to summer time and back"] if len(offsets) < 2 else []),
        *([] if is_found else ["the planted loss was not found"]),
    ]
    for sentence in broken:
        say(f"   {sentence}")
    counts = f"{verdict.missed} missed, {verdict.double} twice"
    say(f"   {len(firings)} fired, {counts}, the latest after {verdict.late_s:.2f} s")
    return {
        "id": "R15",
        "database": order.database,
        "load": len(due_s),
        "fired": stepped,
        **dict.fromkeys(("kills", "incidents", "messages"), 0),
        "lost": verdict.missed,
        **dict.fromkeys(("lost_readings", "lost_verdicts", "lost_messages", "lost_replies"), 0),
        "duplicates": verdict.double,
        "unexpected": verdict.early,
        "duplicate_pct": round(100 * verdict.double / max(1, len(due_s)), 3),
        "recovered_s": round(max(0.0, verdict.late_s), 2),
        "planted_found": is_found,
        "broken": broken,
        "seed": order.seed,
        "pass": not broken and verdict.missed == verdict.double == 0,
    }


def _read(path: Path) -> tuple[dict[str, float], list[Firing], Sequence[tuple[float, float]]]:
    with sqlite3.connect(path) as conn:
        due_s = dict(conn.execute("SELECT subject, due_s FROM was_set"))
        fired = conn.execute("SELECT subject, late_s, at_s FROM fired ORDER BY id")
        firings = [Firing(*row) for row in fired]
        return due_s, firings, list(conn.execute("SELECT by_s, utc_offset_s FROM stepped"))
