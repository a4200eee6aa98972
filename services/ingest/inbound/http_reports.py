"""``POST /v1/reports``, ``GET /v1/reports/{id}``: what people see, and how it stands.

Two kinds of sources: whoever has a key with the reports scope (911, the town's form behind a login), and
people without one, from the town's own page, at a slower pace. A report without a key is as good as another
for calling people on duty, and worth nothing for telling residents anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from services.ingest.domain.normalise import Fault
from services.ingest.domain.offered import Offered, Sent, offered, read
from services.ingest.domain.pace import Pace
from services.ingest.domain.sensors import Catalogue
from services.ingest.domain.status import EMERGENCY, Report, Status
from services.ingest.errors import KeyUsedTwice, NotKnown, OutOfScope, RequestRefused
from services.ingest.flows.reporting import Handed, Taken
from services.ingest.inbound.doorkeeper import SIGNATURE_HEADER, Doorkeeper
from services.ingest.outbound.reports import Row
from services.ingest.settings import IngestSettings
from services.runtime.http import Problem, body_limited, problem

BODY_BYTES_MOST: Final = 64 * 1024
PUBLIC: Final = "public"
KEY_HEADER: Final = "idempotency-key"
_KEY: Final = re.compile(r"[\x21-\x7e]{8,128}")
_REPORT_ID: Final = re.compile(r"(?P<town>[a-z0-9_.-]{1,64})~[\w-]{20,40}", re.ASCII)

Take = Callable[[Handed], Awaitable[Taken]]
Find = Callable[[str, str], Awaitable[Report | None]]
Json = dict[str, Any]  # Any: JSON documents


@dataclass(frozen=True, slots=True)
class Source:
    """Who hands a report over. ``municipality`` is None where only the body can say it."""

    name: str
    municipality: str | None
    body: bytes

    @property
    def is_public(self) -> bool:
        return self.name == PUBLIC


class ReportDoor:
    """Reads, limits and judges requests; ``take`` answers after the commit."""

    def __init__(
        self,
        doorkeeper: Doorkeeper,
        catalogue: Catalogue,
        settings: IngestSettings,
        *,
        now: Callable[[], datetime],
        wall: Callable[[], datetime],
        take: Take,
        find: Find,
    ) -> None:
        self._doorkeeper = doorkeeper
        self._catalogue = catalogue
        self._is_public = settings.ingest_reports_public
        self._now = now
        self._wall = wall
        self._take = take
        self._find = find
        self._of_key = Pace(settings.ingest_reports_key_most)
        self._of_address = Pace(settings.ingest_reports_address_most)
        self._of_town = Pace(settings.ingest_reports_public_most)

    async def post(self, request: Request) -> JSONResponse:
        """Take a report in: 201, or 200 when it had come before."""
        try:
            source = await self._source(request)
            _expect_json(request.headers.get("content-type"))
            sent = _read(source.body)
            town = self._town(source, sent)
            key = _idempotency_key(request.headers.get(KEY_HEADER), sent)
            taken = await self._take(Handed(town, source.name, key, self._judge(source, town, sent)))
        except RequestRefused as refused:
            return problem(refused.status, refused.title, refused.detail)
        except KeyUsedTwice:
            detail = "another report came under it; a new report needs a new key"
            return problem(409, "This idempotency key was used", detail)
        place = f"/v1/reports/{taken.row.report_id}"
        receipt = _receipt(town, taken.row, place)
        return JSONResponse(receipt, 201 if taken.is_new else 200, headers={"Location": place})

    async def get(self, report_id: str) -> JSONResponse:
        """Show how a report stands, to whoever has its id."""
        match = _REPORT_ID.fullmatch(report_id)
        report = await self._find(match["town"], report_id) if match else None
        if report is None:
            raise Problem(404, "No such report", "nothing is known under this number")
        return JSONResponse(_shown(report), headers={"Cache-Control": "no-store"})

    async def _source(self, request: Request) -> Source:
        header, signature = request.headers.get("authorization"), request.headers.get(SIGNATURE_HEADER)
        if header is None and signature is None:
            return await self._stranger(request)
        body = await body_limited(request, BODY_BYTES_MOST)
        if signature is not None:
            key = await self._doorkeeper.by_signature(signature, body)
        else:
            key = await self._doorkeeper.by_bearer(header)
        if not key.scope.reports:
            raise OutOfScope("ask the town for a key with the reports scope", "people's reports")
        self._hold(self._of_key, str(key.name))
        return Source(f"key:{key.name}", key.name.municipality, body)

    async def _stranger(self, request: Request) -> Source:
        if not self._is_public:
            raise NotKnown("this town takes reports with a key only")
        self._hold(self._of_address, _neighbourhood(request.client.host if request.client else ""))
        return Source(PUBLIC, None, await body_limited(request, BODY_BYTES_MOST))

    def _town(self, source: Source, sent: Sent) -> str:
        town = source.municipality or sent.municipality
        if town is None:
            raise _wrong([Fault("municipality", "is required without a key")])
        if sent.municipality not in {None, town}:
            raise _wrong([Fault("municipality", "is not the municipality of this key")])
        if not self._catalogue.serves(town):
            raise _wrong([Fault("municipality", "is not served here")])
        if source.is_public:
            self._hold(self._of_town, town)
        return town

    def _judge(self, source: Source, town: str, sent: Sent) -> Offered:
        judged = offered(sent, self._catalogue.zones_of(town), self._now(), is_public=source.is_public)
        if isinstance(judged, Offered):
            return judged
        raise _wrong(judged)

    def _hold(self, pace: Pace, source: str) -> None:
        wait_s = pace.wait_s(source, self._wall())
        if wait_s:
            detail = f"too many reports from here; come again later. {EMERGENCY}"
            raise Problem(429, "Too many reports", detail, headers={"Retry-After": str(ceil(wait_s))})


def reports_router(door: ReportDoor) -> APIRouter:
    """Return the two routes."""
    router = APIRouter()
    router.add_api_route("/v1/reports", door.post, methods=["POST"], status_code=201)
    router.add_api_route("/v1/reports/{report_id}", door.get, methods=["GET"])
    return router


def _expect_json(kind: str | None) -> None:
    if (kind or "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "This type of body is not taken", "send Content-Type: application/json")


def _read(body: bytes) -> Sent:
    try:
        document = json.loads(body.decode("utf-8-sig"))
    except UnicodeDecodeError as err:
        raise _unreadable(f"the body is not UTF-8 at byte {err.start}") from err
    except json.JSONDecodeError as err:
        raise _unreadable(f"{err.msg} at line {err.lineno}, column {err.colno}") from err
    except ValueError as err:
        raise _unreadable("a number has too many digits") from err
    except RecursionError as err:
        raise _unreadable("the body is nested too deeply") from err
    sent = read(document)
    if isinstance(sent, Sent):
        return sent
    raise _wrong(sent)


def _unreadable(detail: str) -> Problem:
    return Problem(400, "The body cannot be read", detail)


def _wrong(faults: list[Fault]) -> Problem:
    errors = [
        {"pointer": f"#/{fault.field}" if fault.field else "#", "detail": fault.detail} for fault in faults
    ]
    detail = "; ".join(f"{fault.field or 'the body'} {fault.detail}" for fault in faults)[:1000]
    return Problem(422, "The report was refused", detail, errors)


def _idempotency_key(header: str | None, sent: Sent) -> str:
    """Return the key by which the source knows the report; a form sent twice is one report."""
    if header is None and sent.event_id is None:
        raise _wrong([Fault("event_id", "is required, or the header Idempotency-Key")])
    if header is not None and not _KEY.fullmatch(header):
        raise Problem(400, "Idempotency-Key is not usable", "8 to 128 visible ASCII signs")
    if header is not None and sent.event_id not in {None, header}:
        raise _wrong([Fault("event_id", "is not what the header Idempotency-Key says")])
    return header or str(sent.event_id)


def _neighbourhood(host: str) -> str:
    """Return what counts as one place of sending; it is held in memory for minutes and written nowhere."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return str(int(address) >> 64) if isinstance(address, IPv6Address) else host


def _receipt(town: str, row: Row, place: str) -> Json:
    """Return what the same report is answered with however often it comes."""
    return {
        "schema": "municipio/report-receipt/1",
        "report_id": row.report_id,
        "municipality": town,
        "category": row.category,
        "reported_at": row.reported_at.isoformat(),
        "received_at": row.received_at.isoformat(),
        "status_at": place,
        "advice": EMERGENCY,
    }


def _shown(report: Report) -> Json:
    outcome = None
    if report.status is Status.CLOSED and report.closed_at is not None:
        outcome = {"code": "incident_closed", "at": report.closed_at.isoformat()}
    return {
        "schema": "municipio/report/1",
        "report_id": report.report_id,
        "status": report.status.value,
        "text": report.says,
        "category": report.category,
        "zone": report.zone,
        "reported_at": report.reported_at.isoformat(),
        "received_at": report.received_at.isoformat(),
        "updated_at": report.updated_at.isoformat(),
        "outcome": outcome,
        "advice": EMERGENCY,
    }
