"""``POST /admin/v1/decisions``: a decision signed by an operator's own key, stored before the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.events.decisions import CoordinatorDecided
from schemas.vocabulary import Verb
from services.notify.flows import deciding
from services.notify.outbound import audit, operator_keys
from services.runtime.errors import Refused
from services.runtime.http import Problem, body_limited

if TYPE_CHECKING:
    from services.notify.app import App

MOST_BYTES: Final = 65_536


class Posted(BaseModel):
    """The body."""

    model_config = ConfigDict(extra="forbid")

    municipality: str
    decision: CoordinatorDecided


async def take_decision(app: App, request: Request) -> dict[str, Any]:
    """Verify, keep and publish a decision; what is ours is acted on in the same transaction.

    Raises:
        Problem: 400 or 422 not understood · 403 not signed by the operator it names, audited ·
            404 no such municipality.
    """
    posted = _read(await body_limited(request, MOST_BYTES))
    if posted.municipality not in app.towns:
        raise Problem(404, "Not found", f"no municipality {posted.municipality!r} here")
    said = posted.decision
    if said.verb is Verb.UNKNOWN:
        raise _invalid("#/decision/verb", "is not a verb that this release knows")
    if said.via in operator_keys.VOUCHED:
        raise _invalid("#/decision/via", "only notify itself may say that an answer came by a phone")
    await _check(app, posted)
    async with app.db.transaction() as conn:
        verdict = await deciding.receive(app.work(conn, posted.municipality), said, publish=True)
    return {
        "schema": "municipio/decision/1",
        "decision_id": said.decision_id,
        "ruling": verdict.ruling.value if verdict.ruling else None,
        "reasons": [reason.model_dump() for reason in verdict.reasons],
    }


async def _check(app: App, posted: Posted) -> None:
    said = posted.decision
    try:
        operator_keys.check(said, app.towns[posted.municipality])
    except Refused as err:
        async with app.db.transaction() as conn:
            await audit.note(
                conn,
                posted.municipality,
                actor=said.operator_id,
                action="decision.forged",
                object_id=said.decision_id,
                detail={"reason": err.reason},
                at=app.clock.now(),
            )
        raise Problem(403, "Forbidden", err.detail) from None


def _read(body: bytes) -> Posted:
    try:
        return Posted.model_validate_json(body)
    except ValidationError as err:
        found = err.errors(include_url=False, include_context=False, include_input=False)
        if found[0]["type"] == "json_invalid":
            raise Problem(400, "Not JSON", "the body cannot be parsed") from None
        errors = [
            {"pointer": "#/" + "/".join(str(step) for step in each["loc"]), "detail": each["msg"]}
            for each in found[:100]
        ]
        raise Problem(422, "Not understood", errors=errors) from None


def _invalid(pointer: str, detail: str) -> Problem:
    return Problem(422, "Not understood", errors=[{"pointer": pointer, "detail": detail}])
