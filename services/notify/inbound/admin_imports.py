"""``POST /admin/v1/residents``: who asked to be told, row by row; a bad row does not stop the others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from fastapi import Request
from pydantic import ValidationError

from schemas.municipality.duty import Resident
from schemas.municipality.folder import Municipality
from services.notify.outbound import audit, recipients
from services.runtime.http import Problem, body_limited

if TYPE_CHECKING:
    from services.notify.app import App

MOST_BYTES: Final = 65_536
Json = dict[str, Any]  # Any: JSON documents
_TAKEN: Final = "is the id of a person of directory.csv, now or before; a resident needs another one"


async def import_residents(app: App, request: Request) -> Json:
    """Add or change residents; return how many, and every refused row with field and reason.

    Raises:
        Problem: 400, 404, 413, 422 when the body as a whole is of no use.
    """
    town, rows = _read(app, await body_limited(request, MOST_BYTES))
    good: dict[int, Resident] = {}
    refused: list[Json] = []
    for index, row in enumerate(rows):
        resident, wrong = _resident(app, town, row)
        if resident is not None:
            good[index] = resident
        refused += [{"index": index, **fault} for fault in wrong]
    now = app.clock.now()
    async with app.db.transaction() as conn:
        people = await recipients.people_among(conn, town.id, [each.resident_id for each in good.values()])
        taken = [index for index, each in good.items() if each.resident_id in people]
        refused += [{"index": index, "field": "resident_id", "reason": _TAKEN} for index in taken]
        for index in taken:
            del good[index]
        await recipients.keep_residents(conn, town.id, list(good.values()), app.cipher, now)
        await audit.note(
            conn,
            town.id,
            actor="admin",
            action="residents.imported",
            object_id=town.id,
            detail={"imported": len(good), "refused": len(refused)},
            at=now,
        )
    by_row = sorted(refused, key=lambda fault: int(fault["index"]))
    return {"schema": "municipio/residents-import/1", "imported": len(good), "refused": by_row}


def _read(app: App, body: bytes) -> tuple[Municipality, list[Any]]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise Problem(400, "Not JSON", "the body cannot be parsed") from None
    if not isinstance(said, dict) or not isinstance(said.get("residents"), list):
        errors = [{"pointer": "#/residents", "detail": "expected a list of residents"}]
        raise Problem(422, "Not understood", errors=errors)
    town = app.towns.get(str(said.get("municipality")))
    if town is None:
        raise Problem(404, "Not found", f"no municipality {said.get('municipality')!r} here")
    return town, said["residents"]


def _resident(app: App, town: Municipality, row: Any) -> tuple[Resident | None, list[Json]]:
    """Read one row as ``residents.csv`` holds it: an empty field is an absent one."""
    given = {name: value for name, value in row.items() if value != ""} if isinstance(row, dict) else row
    try:
        resident = Resident.model_validate(given)
    except ValidationError as err:
        found = err.errors(include_url=False, include_context=False, include_input=False)
        return None, [
            {"field": ".".join(str(step) for step in each["loc"]) or "row", "reason": each["msg"]}
            for each in found
        ]
    if resident.zone not in town.zone_of:
        return None, [{"field": "zone", "reason": "is not a zone of this municipality"}]
    if not _may_be_real(app, town, resident.phone):
        reason = "outside production only numbers of the fictional range or listed ones"
        return None, [{"field": "phone", "reason": reason}]
    return resident, []


def _may_be_real(app: App, town: Municipality, phone: str) -> bool:
    prefix = town.town.fictional_prefix
    is_fictional = prefix is not None and phone.startswith(prefix)
    return app.settings.is_production or is_fictional or phone in app.settings.allow_numbers
