"""How far triage has come: for people, and for a replay that jumps only when all is decided."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from services.runtime.bounds import Bound, lags, of_process
from services.runtime.clock import TownClock
from services.runtime.parking import TOWN_MOST
from services.triage.domain.silence import next_deadline

if TYPE_CHECKING:
    from services.triage.app import App

Json = dict[str, Any]  # Any: JSON documents
TICKS_MAY_LAG: Final = timedelta(seconds=2)
LOOK_EVERY_S: Final = 0.002


async def quiescence(app: App, within_s: float = 0.0) -> Json:
    """Return what is still being worked on, and the next moment at which a tick would change something.

    A partition is busy until the tick of the present moment was folded: ticks stand behind every reading
    that was accepted before them. With ``within_s`` the answer waits for that, but no longer.
    """
    until_s = time.monotonic() + within_s
    while (  # noqa: ASYNC110 - the clock is a file, it wakes nobody
        behind := _behind(app, now := app.clock.now())
    ) and time.monotonic() < until_s:
        await asyncio.sleep(LOOK_EVERY_S)
    unpublished = await app.relay.unpublished()
    async with app.db.reading() as conn:
        timer = await app.timers.next_due(conn)
    due = [moment for moment in (timer, _next_silence(app, now)) if moment is not None]
    is_waiting = 0 if app.ownership.ready.is_set() else 1
    return {
        "schema": "municipio/quiescence/1",
        "now": now.isoformat(),
        "busy": unpublished + len(behind) + is_waiting,
        "next_due": min(due).isoformat() if due else None,
        "detail": {
            "unpublished": unpublished,
            "partitions_behind": behind,
            "ticks": {str(part): tick.isoformat() for part, tick in sorted(app.cache.last_tick.items())},
            "owns": sorted(part for _, part in app.ownership.epochs),
        },
    }


async def status(app: App) -> Json:
    """Return what a person on duty asks first."""
    report = app.health.ready()
    async with app.db.reading() as conn:
        towns = {town: await app.incidents.count_open(conn, town) for town in sorted(app.towns.books)}
        ages = await app.outbox.ages(conn)
        dead, attacks = await app.dead_letters.count(conn), await app.audit.count(conn)
        late = await app.timers.overdue(conn)
        waiting = await app.parking.waiting(conn)
    parked = Bound("decisions_parked", waiting, TOWN_MOST, "a decision more is answered: refused")
    return {
        "schema": "municipio/service-status/1",
        "service": "triage",
        "ready": report.is_well,
        "troubles": report.troubles,
        "now": app.clock.now().isoformat(),
        "lag": lags(),
        "bounds": [parked.as_json(), *of_process()],
        "outbox_oldest_s": {lane.name.lower(): age.total_seconds() for lane, age in ages.items()},
        "dead_letters": dead,
        "attempts_on_authority": attacks,
        "late_timers": late,
        "municipalities": {town: {"open_incidents": count} for town, count in towns.items()},
        "silent_sensors": _silent(app),
        "ticks": {str(part): tick.isoformat() for part, tick in sorted(app.cache.last_tick.items())},
    }


def _behind(app: App, now: datetime) -> list[int]:
    owned = sorted(part for _, part in app.ownership.epochs)
    allowed = timedelta(0)
    if isinstance(app.clock, TownClock):
        allowed = TICKS_MAY_LAG * app.clock.rate
    elif app.clock.generation == 0:
        allowed = TICKS_MAY_LAG
    ticks = app.cache.last_tick
    return [part for part in owned if part not in ticks or ticks[part] + allowed < now]


def _next_silence(app: App, now: datetime) -> datetime | None:
    due = [
        next_deadline(app.towns.book(municipality), states.values(), now)
        for (_, municipality), states in app.cache.all()
    ]
    return min((moment for moment in due if moment is not None), default=None)


def _silent(app: App) -> dict[str, list[str]]:
    silent: dict[str, list[str]] = {}
    for (_, municipality), states in app.cache.all():
        found = [state.sensor_id for state in states.values() if state.silent]
        if found:
            silent[municipality] = sorted([*silent.get(municipality, []), *found])
    return silent
