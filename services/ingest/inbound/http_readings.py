"""``POST /v1/readings``: one reading, an array, or one a line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from services.ingest.domain.keys import ApiKey
from services.ingest.domain.normalise import Fault, Offered, Reading, Refusal, normalise, normalise_offered
from services.ingest.domain.sensors import Catalogue
from services.ingest.domain.series import Outcome
from services.ingest.errors import OutOfScope, QueueFull, RequestRefused
from services.ingest.flows.acceptance import Delivery
from services.ingest.inbound.body import BODY_BYTES_MOST, Rows, rows_of
from services.ingest.inbound.doorkeeper import SIGNATURE_HEADER, Doorkeeper
from services.runtime.http import PROBLEM_TYPE, PlainRoute, body_limited, problem

LISTED_MOST: Final = 100

Accept = Callable[[Delivery], Awaitable[Counter[Outcome]]]


@dataclass(slots=True)
class Judged:
    """The rows of a request, judged one by one."""

    readings: list[Reading] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    out_of_scope: int = 0


def judge(rows: Rows, key: ApiKey, catalogue: Catalogue, now: datetime) -> Judged:
    """Return which rows are readings that this key may send, and why the others are not."""
    judged = Judged()
    listed = catalogue.towns.get(key.name.municipality, {})
    for index, offered in enumerate(rows.offered):
        read = _read(offered, now)
        if isinstance(read, Fault):
            judged.refusals.append(Refusal(index, rows.point_at(index, read.field), read.detail))
        elif key.scope.covers(read.sensor_id, listed.get(read.sensor_id)):
            judged.readings.append(read)
        else:
            judged.out_of_scope += 1
            detail = "is outside of what this key may speak for"
            judged.refusals.append(Refusal(index, rows.point_at(index, "sensor_id"), detail))
    return judged


def _read(offered: object, now: datetime) -> Reading | Fault:
    if isinstance(offered, Offered):
        return normalise_offered(offered, now)
    return offered if isinstance(offered, Fault) else normalise(offered, now)


def readings_router(
    doorkeeper: Doorkeeper, catalogue: Catalogue, now: Callable[[], datetime], accept: Accept
) -> APIRouter:
    """Return the route; ``accept`` answers after the commit."""
    router = APIRouter(route_class=PlainRoute)

    @router.post("/v1/readings", status_code=202)
    async def post_readings(request: Request) -> JSONResponse:
        try:
            key, body = await _identified(request, doorkeeper)
            rows = rows_of(request.headers.get("content-type"), body)
            judged = judge(rows, key, catalogue, now())
            if rows.offered and judged.out_of_scope == len(rows.offered):
                raise OutOfScope("ask the town for a key whose scope covers these sensors")
            outcomes = await _accepted(accept, key, judged)
        except RequestRefused as refused:
            return problem(refused.status, refused.title, refused.detail)
        except QueueFull as full:
            return problem(503, "Too much waits", f"nothing of this request was stored: {full}")
        return _answer(judged, outcomes)

    return router


async def _identified(request: Request, doorkeeper: Doorkeeper) -> tuple[ApiKey, bytes]:
    signature = request.headers.get(SIGNATURE_HEADER)
    if signature is not None:
        body = await body_limited(request, BODY_BYTES_MOST)
        return await doorkeeper.by_signature(signature, body), body
    key = await doorkeeper.by_bearer(request.headers.get("authorization"))
    return key, await body_limited(request, BODY_BYTES_MOST)


async def _accepted(accept: Accept, key: ApiKey, judged: Judged) -> Counter[Outcome]:
    if not judged.readings:
        return Counter()
    return await accept(Delivery(key.name.municipality, f"key:{key.name}", tuple(judged.readings)))


def _answer(judged: Judged, outcomes: Counter[Outcome]) -> JSONResponse:
    body: dict[str, Any] = {
        "accepted": outcomes[Outcome.ACCEPTED],
        "duplicates": outcomes[Outcome.DUPLICATE],
        "corrections": outcomes[Outcome.CORRECTION],
        "quarantined": outcomes[Outcome.QUARANTINED],
        "rejected_count": len(judged.refusals),
        "rejected": [
            {"index": each.index, "pointer": each.pointer, "detail": each.detail}
            for each in judged.refusals[:LISTED_MOST]
        ],
    }
    if judged.readings:
        return JSONResponse(body, 202)
    return _all_refused(judged, body)


def _all_refused(judged: Judged, body: dict[str, Any]) -> JSONResponse:
    title = "Every reading was refused" if judged.refusals else "There is no reading in the body"
    errors = [{"pointer": each.pointer, "detail": each.detail} for each in judged.refusals[:LISTED_MOST]]
    document = {"type": "about:blank", "title": title, "status": 422, "errors": errors, **body}
    return JSONResponse(document, 422, media_type=PROBLEM_TYPE)
