"""Administration of the console: how far it has read, and making the read model again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from services.console.outbound import audit
from services.runtime.bounds import of_process
from services.runtime.http import RowCursor

if TYPE_CHECKING:
    from services.console.app import App

Json = dict[str, Any]  # Any: JSON documents


def admin_routes(app: App, guard: Any) -> APIRouter:
    """Return ``/admin/v1``."""
    routes = APIRouter(prefix="/admin/v1", dependencies=[guard])

    @routes.get("/status")
    async def get_status() -> Json:
        report = app.health.ready()
        async with app.db.reading() as conn:
            ages = await app.outbox.ages(conn)
            dead, attacks = await app.dead_letters.count(conn), await audit.count(conn)
        return {
            "schema": "municipio/service-status/1",
            "service": "console",
            "ready": report.is_well,
            "troubles": report.troubles,
            "now": app.clock.now().isoformat(),
            "lag": await app.following.behind(),
            "outbox_oldest_s": {lane.name.lower(): age.total_seconds() for lane, age in ages.items()},
            "bounds": of_process(),
            "dead_letters": dead,
            "attempts_on_authority": attacks,
        }

    @routes.get("/quiescence")
    async def get_quiescence() -> Json:
        behind = await app.following.behind()
        unpublished = await app.relay.unpublished()
        return {
            "schema": "municipio/quiescence/1",
            "now": app.clock.now().isoformat(),
            "busy": unpublished + sum(max(0, count) for count in behind.values()),
            "next_due": None,
            "detail": {"unpublished": unpublished, "behind": behind},
        }

    @routes.post("/rebuild", status_code=202)
    async def post_rebuild() -> Json:
        await app.rebuild()
        return {"schema": "municipio/rebuild/1", "behind": await app.following.behind()}

    @routes.get("/dead-letters")
    async def get_dead_letters(cursor: RowCursor = 0, limit: int = 100) -> Json:
        bounded = max(1, min(limit, 1000))
        async with app.db.reading() as conn:
            found = await app.dead_letters.list(conn, after=cursor, limit=bounded)
        names = (
            "id",
            "municipality",
            "topic",
            "partition",
            "offset",
            "reason",
            "detail",
            "is_attack",
            "state",
        )
        items = [
            {**{name: getattr(each, name) for name in names}, "at": each.at.isoformat()} for each in found
        ]
        following = found[-1].id if len(found) == bounded else None
        return {"schema": "municipio/dead-letters/1", "items": items, "next": following}

    return routes
