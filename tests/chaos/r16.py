"""R16: several processes share one table of due times, and are killed again and again."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from municipio.supervision import Program, Supervision
from services.runtime.clock import DatabaseClock
from services.runtime.database import Database
from tests.chaos.campaign import Json, Order, say
from tests.chaos.timer_replica import ADDRESS, FIRED, METADATA, set_all, timers_of

TIMERS = {"ci": 4_000, "night": 20_000}
KILLS = {"ci": 6, "night": 40}
# SQLite serves one process.
REPLICAS = {"sqlite": 1, "postgresql": 4}
A_SECOND = 100
LEAD_S = 6.0
LATE_S_MOST = {"sqlite": 6.0, "postgresql": 1.5}
"""Ninety-nine of a hundred; with a single process each of its deaths makes what was due meanwhile late."""
AWAIT_S = 60.0
LOOK_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the timers."""

    missed: int
    double: int
    unknown: int
    late_p99_s: float


def judged(due: Mapping[str, datetime], fired: Sequence[tuple[str, datetime]]) -> Verdict:
    """Compare firings with due times. Pure."""
    times = Counter(subject for subject, _ in fired)
    late_s = sorted((at - due[subject]).total_seconds() for subject, at in fired if subject in due)
    return Verdict(
        missed=len(due.keys() - times.keys()),
        double=sum(times.values()) - len(times),
        unknown=len(times.keys() - due.keys()),
        late_p99_s=late_s[int(0.99 * (len(late_s) - 1))] if late_s else 0.0,
    )


def run(order: Order) -> Json:
    shutil.rmtree(order.folder, ignore_errors=True)
    order.folder.mkdir(parents=True)
    address = order.cluster.url if order.cluster else f"sqlite:///{order.folder / 'timers.sqlite'}"
    python = [sys.executable, "-m", "tests.chaos.timer_replica"]
    names = [f"replica-{number}" for number in range(REPLICAS[order.database])]
    replicas = Supervision(
        [Program(name, python) for name in names], order.folder / "supervisor", order.folder / "logs"
    )
    say(f"R16 {order.database}: {TIMERS[order.scale]} timers, {len(names)} processes")
    try:
        return asyncio.run(_play(order, address, replicas))
    finally:
        replicas.stop()


async def _play(order: Order, address: str, replicas: Supervision) -> Json:
    db = Database(address)
    try:
        await db.create_all(METADATA)
        clock = DatabaseClock(db)
        await clock.refresh()
        due = _due(order, clock.now() + timedelta(seconds=LEAD_S))
        begins_s = time.monotonic() + LEAD_S
        await set_all(db, timers_of(db, clock), due.items())
        await asyncio.to_thread(replicas.start, {**os.environ, ADDRESS: address})
        recovered_s = await _kill(order, replicas, begins_s, len(due) / A_SECOND)
        return _item(order, due, await _all_fired(db, len(due)), recovered_s)
    finally:
        await db.close()


def _due(order: Order, begins: datetime) -> dict[str, datetime]:
    """Draw due times; a fifth of them fall on one instant with others, as after a great rise."""
    draw = random.Random(f"R16 {order.seed}")
    count = TIMERS[order.scale]
    waits_s = [draw.uniform(0, count / A_SECOND) for _ in range(count)]
    waits_s = [float(round(wait_s)) if draw.random() < 0.2 else wait_s for wait_s in waits_s]
    return {f"t-{number}": begins + timedelta(seconds=wait_s) for number, wait_s in enumerate(waits_s)}


async def _kill(order: Order, replicas: Supervision, begins_s: float, over_s: float) -> list[float]:
    """Kill as often as the scale wants while timers fall due; return how long each was away."""
    draw = random.Random(f"R16 kills {order.seed}")
    moments = sorted(begins_s + draw.uniform(0.05, 0.9) * over_s for _ in range(KILLS[order.scale]))
    recovered_s = []
    for moment_s in moments:
        await asyncio.sleep(max(0.0, moment_s - time.monotonic()))
        name = draw.choice(replicas.names)
        dead = await asyncio.to_thread(replicas.kill, name)
        killed_s = time.monotonic()
        while dead and not await asyncio.to_thread(_is_back, replicas, name, dead):
            await asyncio.sleep(LOOK_EVERY_S)
        if dead:
            recovered_s.append(time.monotonic() - killed_s)
    return recovered_s


def _is_back(replicas: Supervision, name: str, dead: int) -> bool:
    return next(info.pid for info in replicas.processes() if info.name == name) not in {0, dead}


async def _all_fired(db: Database, count: int) -> list[tuple[str, datetime]]:
    """Return the firings once all fell due and no more come, or the time is over."""
    until_s = time.monotonic() + AWAIT_S
    while True:
        async with db.reading() as conn:
            rows = (await conn.execute(sa.select(FIRED.c.subject, FIRED.c.fired_at))).all()
        if len(rows) >= count or time.monotonic() > until_s:
            return [(subject, at) for subject, at in rows]
        await asyncio.sleep(LOOK_EVERY_S)


def _item(
    order: Order, due: Mapping[str, datetime], fired: Sequence[tuple[str, datetime]], recovered_s: list[float]
) -> Json:
    verdict = judged(due, fired)
    is_found = judged(due, fired[1:]).missed == verdict.missed + 1
    broken = []
    if len(recovered_s) < KILLS[order.scale]:
        broken.append(f"{len(recovered_s)} of {KILLS[order.scale]} kills found a process")
    if verdict.late_p99_s > LATE_S_MOST[order.database]:
        broken.append(f"one in a hundred timers was more than {verdict.late_p99_s:.1f} s late")
    if not is_found:
        broken.append("the planted loss was not found")
    counts = f"{verdict.missed} missed, {verdict.double} twice"
    say(f"   {len(fired)} fired, {counts}, p99 {verdict.late_p99_s:.2f} s late")
    for sentence in broken:
        say(f"   {sentence}")
    return {
        "id": "R16",
        "database": order.database,
        "load": len(due),
        "fired": len(recovered_s),
        "kills": len(recovered_s),
        **dict.fromkeys(("incidents", "messages"), 0),
        "lost": verdict.missed,
        **dict.fromkeys(("lost_readings", "lost_verdicts", "lost_messages", "lost_replies"), 0),
        "duplicates": verdict.double,
        "unexpected": verdict.unknown,
        "duplicate_pct": round(100 * verdict.double / len(due), 3),
        "late_p99_s": round(verdict.late_p99_s, 3),
        "recovered_s": round(max(recovered_s, default=0.0), 1),
        "planted_found": is_found,
        "broken": broken,
        "seed": order.seed,
        "pass": not broken and verdict == Verdict(0, 0, 0, verdict.late_p99_s),
    }
