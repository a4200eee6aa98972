"""Admin over HTTP: what triage holds to be happening, why, and the proof that nothing was lost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query
from pydantic import AwareDatetime

from schemas.events.incidents import IncidentSnapshot
from services.runtime.dead_letter import DeadLetter
from services.runtime.http import Problem, RowCursor, admin_guard, service_app
from services.runtime.metrics import REGISTRY
from services.runtime.republish import republish_router
from services.triage.domain.state import SensorState
from services.triage.inbound.progress import quiescence, status
from services.triage.outbound.input_log import inputs_between
from services.triage.settings import SERVICE

if TYPE_CHECKING:
    from services.triage.app import App

Json = dict[str, Any]  # Any: JSON documents
Limit = Annotated[int, Query(ge=1, le=5000)]


def admin_app(app: App) -> FastAPI:
    """Return triage's HTTP application: health for everybody, the rest for the administrator's token."""
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

    @routes.get("/incidents")
    async def get_incidents(
        municipality: str, state: str | None = None, cursor: str | None = None, limit: Limit = 100
    ) -> Json:
        _known(app, municipality)
        async with app.db.reading() as conn:
            found = await app.incidents.list(
                conn, municipality, state=state, after=_after(cursor), limit=limit
            )
        following = f"{found[-1].opened_at.isoformat()}/{found[-1].incident_id}" if found else None
        return _page("incidents", [_shown(app, municipality, one) for one in found], following, limit)

    @routes.get("/incidents/{incident_id}")
    async def get_incident(incident_id: str, municipality: str) -> Json:
        _known(app, municipality)
        async with app.db.reading() as conn:
            versions = await app.incidents.versions(conn, municipality, incident_id)
        if not versions:
            raise Problem(404, "Not found", f"no incident {incident_id} in {municipality}")
        shown = [_shown(app, municipality, one) for one in versions]
        return {"schema": "municipio/incident/1", **shown[-1], "versions": shown}

    @routes.get("/verdicts")
    async def get_verdicts(municipality: str, cursor: str = "", limit: Limit = 500) -> Json:
        _known(app, municipality)
        async with app.db.reading() as conn:
            states = await app.sensors.list(conn, municipality, after=cursor, limit=limit)
        following = states[-1].sensor_id if states else None
        return _page("verdicts", [_proof(state) for state in states], following, limit)

    @routes.get("/changes")
    async def get_changes(municipality: str, cursor: RowCursor = 0, limit: Limit = 500) -> Json:
        _known(app, municipality)
        async with app.db.reading() as conn:
            found = await app.changes.list(conn, municipality, after=cursor, limit=limit)
        return _page("changes", list(found), found[-1]["seq"] if found else None, limit)

    @routes.get("/inputs")
    async def get_inputs(
        municipality: str,
        since: AwareDatetime,
        until: AwareDatetime,
        cursor: RowCursor = 0,
        limit: Limit = 500,
    ) -> Json:
        _known(app, municipality)
        async with app.db.reading() as conn:
            found = await inputs_between(conn, municipality, since, until, after=cursor, limit=limit)
        return _page("inputs", found, found[-1]["seq"] if found else None, limit)

    @routes.get("/dead-letters")
    async def get_dead_letters(cursor: RowCursor = 0, limit: Limit = 100) -> Json:
        async with app.db.reading() as conn:
            found = await app.dead_letters.list(conn, after=cursor, limit=limit)
        return _page(
            "dead-letters", [_letter(each) for each in found], found[-1].id if found else None, limit
        )

    http.include_router(routes)
    http.include_router(republish_router(guarded, app.db, app.outbox, SERVICE))
    return http


def _page(name: str, items: list[Json], following: str | int | None, limit: int) -> Json:
    return {
        "schema": f"municipio/{name}/1",
        "items": items,
        "next": following if len(items) == limit else None,
    }


def _known(app: App, municipality: str) -> None:
    if municipality not in app.towns:
        raise Problem(404, "Not found", f"no municipality {municipality!r} here")


def _after(cursor: str | None) -> tuple[datetime, str] | None:
    if not cursor:
        return None
    opened_at, _, incident_id = cursor.partition("/")
    try:
        moment = datetime.fromisoformat(opened_at).astimezone(UTC)
    except (ValueError, OverflowError):
        error = {"pointer": "#/cursor", "detail": "is not a cursor that this list gave"}
        raise Problem(422, "Not understood", errors=[error]) from None
    return moment, incident_id


def _shown(app: App, municipality: str, snapshot: IncidentSnapshot) -> Json:
    """Return a version as JSON, with the town's own word for its level."""
    labels = app.towns.book(municipality).labels
    return {**snapshot.model_dump(mode="json"), "label": labels[snapshot.level]}


def _letter(letter: DeadLetter) -> Json:
    """Return where a refused record stood and why it was refused; never what it says."""
    return {
        "id": letter.id,
        "municipality": letter.municipality,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "reason": letter.reason,
        "detail": letter.detail,
        "is_attack": letter.is_attack,
        "state": letter.state,
        "at": letter.at.isoformat(),
    }


def _proof(state: SensorState) -> Json:
    """Return what an outsider compares with the log of accepted readings, and where the sensor stands.

    ``digest``: the sum of ``schemas.fingerprint`` over every reading counted, in decimal digits.
    """
    newest = state.newest
    return {
        "sensor_id": state.sensor_id,
        "count": state.count,
        "digest": str(state.digest),
        "last_n": state.last_n,
        "missing": [list(gap) for gap in state.gaps],
        "unusable": state.unusable,
        "observed_at": newest[0].isoformat() if newest else None,
        "value": newest[2] if newest else None,
        "silent": state.silent,
        "conditions": {
            rule_id: {
                "settled": track.settled.level,
                "provisional": track.provisional.level,
                "level": track.level,
                "since": track.since.isoformat() if track.since else None,
            }
            for rule_id, track in state.tracks.items()
        },
    }
