"""The console's doors: what stands in the read model of one town, every number with its age."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query

from services.console.inbound import documents
from services.console.inbound.admin import admin_routes
from services.console.inbound.documents import TABLES
from services.console.outbound import rebuilding, views
from services.console.settings import SERVICE
from services.console.tables import incident, warning
from services.runtime.http import Problem, admin_guard, service_app
from services.runtime.metrics import REGISTRY

if TYPE_CHECKING:
    from services.console.app import App

Json = dict[str, Any]  # Any: JSON documents
Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str, Query(max_length=300)]
Place = tuple[datetime, str]


def http_app(app: App) -> FastAPI:
    """Return the console's HTTP application: health for everybody, the rest for the administrator's token."""
    http = service_app(SERVICE, app.health, REGISTRY)
    guard = Depends(admin_guard(app.settings.require_admin_token()))
    http.include_router(_heads(app, guard))
    http.include_router(_lists(app, guard))
    http.include_router(admin_routes(app, guard))
    return http


def _heads(app: App, guard: Any) -> APIRouter:
    routes = APIRouter(prefix="/v1", dependencies=[guard])

    @routes.get("/incidents")
    async def get_incidents(
        municipality: str, state: str | None = None, cursor: Cursor = "", limit: Limit = 100
    ) -> Json:
        labels = app.labels(municipality)
        rows = await _listed(app, "incidents", municipality, cursor, limit, {"state": state})
        return await _page(
            app,
            "incidents",
            municipality,
            rows,
            [documents.incident_head(row, labels) for row in rows],
            limit,
        )

    @routes.get("/incidents/{incident_id}")
    async def get_incident(incident_id: str, municipality: str) -> Json:
        labels = app.labels(municipality)
        async with app.db.reading() as conn:
            row = await views.one(conn, incident, municipality, incident_id)
            if row is None:
                raise Problem(404, "Not found", f"no incident {incident_id} in {municipality}")
            whole = await documents.whole_incident(conn, municipality, row, labels)
        return {"schema": "municipio/incident/1", **whole}

    @routes.get("/warnings")
    async def get_warnings(
        municipality: str,
        state: str | None = None,
        incident_id: str | None = None,
        cursor: Cursor = "",
        limit: Limit = 100,
    ) -> Json:
        labels = app.labels(municipality)
        only = {"state": state, "incident_id": incident_id}
        rows = await _listed(app, "warnings", municipality, cursor, limit, only)
        return await _page(
            app, "warnings", municipality, rows, [documents.warning_head(row, labels) for row in rows], limit
        )

    @routes.get("/warnings/{warning_id}")
    async def get_warning(warning_id: str, municipality: str) -> Json:
        labels = app.labels(municipality)
        async with app.db.reading() as conn:
            row = await views.one(conn, warning, municipality, warning_id)
            if row is None:
                raise Problem(404, "Not found", f"no warning {warning_id} in {municipality}")
            whole = await documents.whole_warning(conn, municipality, row, labels)
        return {"schema": "municipio/warning/1", **whole}

    return routes


def _lists(app: App, guard: Any) -> APIRouter:
    routes = APIRouter(prefix="/v1", dependencies=[guard])

    @routes.get("/tasks")
    async def get_tasks(
        municipality: str,
        state: str | None = None,
        incident_id: str | None = None,
        cursor: Cursor = "",
        limit: Limit = 100,
    ) -> Json:
        app.labels(municipality)
        only = {"state": state, "incident_id": incident_id}
        rows = await _listed(app, "tasks", municipality, cursor, limit, only)
        shown = [documents.task_document(row) for row in rows]
        return await _page(app, "tasks", municipality, rows, shown, limit)

    @routes.get("/decisions")
    async def get_decisions(
        municipality: str,
        ruling: str | None = None,
        incident_id: str | None = None,
        cursor: Cursor = "",
        limit: Limit = 100,
    ) -> Json:
        app.labels(municipality)
        only = {"ruling": ruling, "incident_id": incident_id}
        rows = await _listed(app, "decisions", municipality, cursor, limit, only)
        shown = [documents.decision_document(row) for row in rows]
        return await _page(app, "decisions", municipality, rows, shown, limit)

    @routes.get("/reports")
    async def get_reports(
        municipality: str,
        verdict: str | None = None,
        incident_id: str | None = None,
        cursor: Cursor = "",
        limit: Limit = 100,
    ) -> Json:
        app.labels(municipality)
        only = {"verdict": verdict, "incident_id": incident_id}
        rows = await _listed(app, "reports", municipality, cursor, limit, only)
        shown = [documents.report_document(row) for row in rows]
        return await _page(app, "reports", municipality, rows, shown, limit)

    @routes.get("/messages")
    async def get_messages(
        municipality: str,
        state: str | None = None,
        purpose: str | None = None,
        incident_id: str | None = None,
        warning_id: str | None = None,
        recipient_id: str | None = None,
        cursor: Cursor = "",
        limit: Limit = 100,
    ) -> Json:
        app.labels(municipality)
        only = {"state": state, "purpose": purpose, "incident_id": incident_id}
        only |= {"warning_id": warning_id, "recipient_id": recipient_id}
        async with app.db.reading() as conn:
            items = await views.messages(conn, municipality, after=cursor, limit=limit, only=only)
            heard = await views.as_of(conn, municipality)
        following = items[-1]["message_id"] if len(items) == limit else None
        items = [{**item, "as_of": item["at"]} for item in items]
        return {"schema": "municipio/messages/1", "items": items, "next": following, "as_of": heard}

    @routes.get("/_digest")
    async def get_digest(municipality: str) -> Json:
        app.labels(municipality)
        async with app.db.reading() as conn:
            found = await rebuilding.digests(conn, municipality)
            heard = await views.as_of(conn, municipality)
        items = [
            {"collection": name, "count": digest.count, "sha256_sum": digest.hex}
            for name, digest in found.items()
        ]
        return {"schema": "municipio/digest/1", "items": items, "next": None, "as_of": heard}

    return routes


async def _listed(
    app: App, name: str, municipality: str, cursor: str, limit: int, only: dict[str, str | None]
) -> list[Json]:
    before = _place(cursor)
    async with app.db.reading() as conn:
        return await views.newest_first(
            conn, TABLES[name], municipality, before=before, limit=limit, only=only
        )


async def _page(
    app: App, name: str, municipality: str, rows: list[Json], items: list[Json], limit: int
) -> Json:
    async with app.db.reading() as conn:
        heard = await views.as_of(conn, municipality)
    key = f"{TABLES[name].name}_id"
    following = f"{rows[-1]['began_at'].isoformat()}/{rows[-1][key]}" if len(rows) == limit else None
    return {"schema": f"municipio/{name}/1", "items": items, "next": following, "as_of": heard}


def _place(cursor: str) -> Place | None:
    """Read a cursor. A "+" of its offset may have come as a space."""
    if not cursor:
        return None
    said, _, key = cursor.partition("/")
    try:
        at = datetime.fromisoformat(re.sub(r" (\d\d:\d\d)$", r"+\1", said))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not key:
        error = {"pointer": "#/cursor", "detail": "is not a cursor that this list gave"}
        raise Problem(422, "Not understood", errors=[error])
    return at, key
