"""How far notify has come: for people, and for a replay that jumps only when all was handed over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.notify.outbound import views

if TYPE_CHECKING:
    from services.notify.app import App

Json = dict[str, Any]  # Any: JSON documents


async def quiescence(app: App) -> Json:
    """Return what is still under way, and when the next timer is due."""
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
    now = app.clock.now()
    return {
        "schema": "municipio/service-status/1",
        "service": "notify",
        "ready": report.is_well,
        "troubles": report.troubles,
        "now": now.isoformat(),
        "outbox_oldest_s": {lane.name.lower(): age.total_seconds() for lane, age in ages.items()},
        "oldest_undelivered_s": max(0.0, (now - oldest).total_seconds()) if oldest else None,
        "messages_waiting": messages,
        "messages_overdue": overdue,
        "dead_letters": dead,
        "attempts_on_authority": attacks,
        "late_timers": late,
        "door_connected": app.pull.is_connected if app.pull else False,
        "municipalities": towns,
        **waiting,
    }
