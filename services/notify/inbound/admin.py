"""Admin over HTTP: decisions in; warnings, alerts, tasks, answers and messages out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse

from services.notify.inbound.admin_imports import import_residents
from services.notify.inbound.deciding_door import take_decision
from services.notify.inbound.progress import quiescence, status
from services.notify.outbound import views
from services.notify.settings import SERVICE
from services.notify.tables import ack, alert, audit, decision, incident, reply, task
from services.runtime.http import Problem, RowCursor, admin_guard, service_app
from services.runtime.metrics import REGISTRY
from services.runtime.republish import republish_router

if TYPE_CHECKING:
    from services.notify.app import App

Json = dict[str, Any]  # Any: JSON documents
Limit = Annotated[int, Query(ge=1, le=5000)]


def admin_app(app: App) -> FastAPI:
    """Return notify's HTTP application: health for everybody, the rest for the administrator's token."""
    http = service_app(SERVICE, app.health, REGISTRY)
    guarded = admin_guard(app.settings.require_admin_token())
    guard = Depends(guarded)
    routes = APIRouter(prefix="/admin/v1", dependencies=[guard])

    @routes.get("/status")
    async def get_status() -> Json:
        return await status(app)

    @routes.get("/quiescence")
    async def get_quiescence(within_s: Annotated[float, Query(ge=0, le=10)] = 0.0) -> Json:
        return await quiescence(app, within_s)

    @routes.post("/decisions", status_code=202)
    async def post_decision(request: Request) -> Json:
        return await take_decision(app, request)

    @routes.get("/decisions/{decision_id}")
    async def get_decision(decision_id: str, municipality: str) -> Json:
        _known(app, municipality)
        async with app.db.reading() as conn:
            found = await views.one_decision(conn, municipality, decision_id)
        if found is None:
            raise Problem(404, "Not found", f"no decision {decision_id} in {municipality}")
        return {"schema": "municipio/decision/1", **found}

    @routes.post("/residents")
    async def post_residents(request: Request) -> JSONResponse:
        return JSONResponse(await import_residents(app, request))

    @routes.get("/warnings/{warning_id}")
    async def get_warning(warning_id: str, municipality: str) -> Json:
        _known(app, municipality)
        async with app.db.reading() as conn:
            found = await views.one_warning(conn, municipality, warning_id)
        if found is None:
            raise Problem(404, "Not found", f"no warning {warning_id} in {municipality}")
        return {"schema": "municipio/warning/1", **found}

    @routes.get("/warnings")
    async def get_warnings(
        municipality: str,
        state: str | None = None,
        incident_id: str | None = None,
        cursor: str = "",
        limit: Limit = 100,
    ) -> Json:
        _known(app, municipality)
        only = {"state": state, "incident_id": incident_id}
        async with app.db.reading() as conn:
            items = await views.warnings(conn, municipality, after=cursor, limit=limit, only=only)
        return _page("warnings", items, "warning_id", limit)

    @routes.get("/messages")
    async def get_messages(
        municipality: str,
        incident_id: str | None = None,
        warning_id: str | None = None,
        alert_id: str | None = None,
        recipient_id: str | None = None,
        purpose: str | None = None,
        state: str | None = None,
        cursor: str = "",
        limit: Limit = 1000,
    ) -> Json:
        _known(app, municipality)
        only = {
            "incident_id": incident_id,
            "warning_id": warning_id,
            "alert_id": alert_id,
            "recipient_id": recipient_id,
            "purpose": purpose,
            "state": state,
        }
        async with app.db.reading() as conn:
            items = await views.messages(conn, municipality, after=cursor, limit=limit, only=only)
        return _page("messages", items, "message_id", limit)

    @routes.get("/dead-letters")
    async def get_dead_letters(cursor: RowCursor = 0, limit: Limit = 100) -> Json:
        async with app.db.reading() as conn:
            found = await app.dead_letters.list(conn, after=cursor, limit=limit)
        names = ("id", "municipality", "topic", "partition", "offset", "reason", "detail", "state")
        items = [
            {
                **{name: getattr(one, name) for name in names},
                "is_attack": one.is_attack,
                "at": one.at.isoformat(),
            }
            for one in found
        ]
        return _page("dead-letters", items, "id", limit)

    for name, table, key in _LISTS:
        routes.add_api_route(f"/{name}", _list_of(app, name, table, key), methods=["GET"])
    http.include_router(routes)
    http.include_router(republish_router(guarded, app.db, app.outbox, SERVICE))
    return http


_LISTS: tuple[tuple[str, sa.Table, str], ...] = (
    ("alerts", alert, "alert_id"),
    ("tasks", task, "task_id"),
    ("acks", ack, "ack_id"),
    ("replies", reply, "reply_id"),
    ("incidents", incident, "incident_id"),
    ("decisions", decision, "decision_id"),
    ("audit", audit, "audit_id"),
)


def _list_of(app: App, name: str, table: sa.Table, key: str) -> Any:
    """Return the route of one list; every row of it belongs to an incident or to nobody."""

    async def get_list(
        municipality: str, incident_id: str | None = None, cursor: str = "", limit: Limit = 1000
    ) -> Json:
        _known(app, municipality)
        only = {"incident_id": incident_id} if "incident_id" in table.c else {}
        async with app.db.reading() as conn:
            items = await views.list_rows(
                conn, table, key, municipality, after=cursor, limit=limit, only=only
            )
        return _page(name, items, key, limit)

    get_list.__name__ = f"get_{name}"
    return get_list


def _page(name: str, items: list[Json], key: str, limit: int) -> Json:
    following = items[-1][key] if len(items) == limit else None
    return {"schema": f"municipio/{name}/1", "items": items, "next": following}


def _known(app: App, municipality: str) -> None:
    if municipality not in app.towns:
        raise Problem(404, "Not found", f"no municipality {municipality!r} here")
