"""How far notify has come: for people, and for a replay that jumps only when all was handed over."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from services.notify.outbound import views
from services.runtime.bounds import lags, of_process

if TYPE_CHECKING:
    from services.notify.app import App

Json = dict[str, Any]  # Any: JSON documents
LOOK_EVERY_S: Final = 0.004


async def quiescence(app: App, within_s: float = 0.0) -> Json:
    """Return what is still under way, and when the next timer is due.

    Whoever gives ``within_s`` has moved the clock by hand and waits: what is due is then fired at once, and
    the answer comes when nothing is under way any more, or when that time is over.
    """
    until_s, pause_s = time.monotonic() + within_s, LOOK_EVERY_S
    while (said := await _under_way(app))["busy"] and time.monotonic() < until_s:
        if not (said["detail"]["timers_due"] and await app.timers.fire_due()):
            await asyncio.sleep(pause_s)
            pause_s *= 1.5
    return said


async def _under_way(app: App) -> Json:
    now = app.clock.now()
    unpublished = await app.relay.unpublished()
    async with app.db.reading() as conn:
        messages = await app.deliveries.waiting(conn)
        waiting = await views.waiting(conn)
        due = await app.timers.next_due(conn)
    is_due = int(due is not None and due <= now)
    return {
        "schema": "municipio/quiescence/1",
        "now": now.isoformat(),
        "busy": unpublished + messages + sum(waiting.values()) + is_due,
        "next_due": due.isoformat() if due else None,
        "detail": {"unpublished": unpublished, "messages": messages, "timers_due": is_due, **waiting},
    }


async def status(app: App) -> Json:
    """Return what a person on duty asks first."""
    report = app.health.ready()
    async with app.db.reading() as conn:
        towns = {town: await views.town_figures(conn, town) for town in sorted(app.towns)}
        ages = await app.outbox.ages(conn)
        messages = await app.deliveries.waiting(conn)
        overdue = await app.deliveries.overdue(conn)
        oldest = await views.oldest_undelivered(conn)
        waiting = await views.waiting(conn)
        dead, attacks = await app.dead_letters.count(conn), await views.attempts(conn)
        late = await app.timers.overdue(conn)
        failed = await views.answers_failed(conn)
    now = app.clock.now()
    return {
        "schema": "municipio/service-status/1",
        "service": "notify",
        "ready": report.is_well,
        "troubles": report.troubles,
        "now": now.isoformat(),
        "outbox_oldest_s": {lane.name.lower(): age.total_seconds() for lane, age in ages.items()},
        "lag": lags(),
        "oldest_undelivered_s": max(0.0, (now - oldest).total_seconds()) if oldest else None,
        "messages_waiting": messages,
        "messages_overdue": overdue,
        "dead_letters": dead,
        "attempts_on_authority": attacks,
        "answers_failed": failed,
        "late_timers": late,
        "door_connected": app.pull.is_connected if app.pull else False,
        "bounds": of_process(),
        "municipalities": towns,
        **waiting,
    }
