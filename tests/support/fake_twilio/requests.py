"""Who asks, and what stands in the request."""

from __future__ import annotations

import base64
import binascii
import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode

from starlette.requests import Request

from tests.support.fake_twilio.checks import Form
from tests.support.fake_twilio.errors import Refused
from tests.support.fake_twilio.settings import CarrierSettings

MAX_FORM_BYTES = 65_536
MAX_PAGE = 1000


def authenticated(request: Request, settings: CarrierSettings) -> None:
    """Raise ``Refused`` 20003 unless Basic auth and the account in the path are right."""
    told = request.headers.get("authorization", "")
    try:
        pair = base64.b64decode(told.removeprefix("Basic "), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        pair = ""
    right = hmac.compare_digest(pair.encode(), f"{settings.account_sid}:{settings.auth_token}".encode())
    if not told.startswith("Basic ") or not right:
        raise Refused(20003, "Authenticate", 401)
    if request.path_params["account"] != settings.account_sid:
        raise Refused(20404, f"The requested resource {request.url.path} was not found", 404)


async def form_of(request: Request) -> Form:
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise Refused(20001, "Send application/x-www-form-urlencoded.", 415)
    body = await request.body()
    if len(body) > MAX_FORM_BYTES:
        raise Refused(20001, "The request is too large.", 413)
    try:
        return parse_qs(body.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError as err:
        raise Refused(20001, "The request is not UTF-8.") from err


def page_of(request: Request) -> tuple[int, int]:
    """Return page and page size."""
    try:
        page, size = (
            int(request.query_params.get("Page", "0")),
            int(request.query_params.get("PageSize", "50")),
        )
    except ValueError as err:
        raise Refused(20001, "Page and PageSize are whole numbers.") from err
    if page < 0 or not 1 <= size <= MAX_PAGE:
        raise Refused(20001, f"PageSize is from 1 to {MAX_PAGE}.")
    return page, size


def filtered_path(request: Request) -> str:
    """Return the path with its filters and without the paging."""
    kept = [
        (name, value)
        for name, value in request.query_params.multi_items()
        if name not in {"Page", "PageSize", "PageToken"}
    ]
    return request.url.path + (f"?{urlencode(kept)}" if kept else "")


def in_time(request: Request, name: str, moment: datetime) -> bool:
    """Apply the filters ``name``, ``name<`` (at or before) and ``name>`` (at or after): a day or a moment."""
    for sign in ("", "<", ">"):
        told = request.query_params.get(name + sign)
        if told is None:
            continue
        first, last = _span(told)
        if sign in {"", ">"} and moment < first:
            return False
        if sign in {"", "<"} and moment >= last:
            return False
    return True


def _span(told: str) -> tuple[datetime, datetime]:
    try:
        moment = datetime.fromisoformat(told.replace("Z", "+00:00"))
    except ValueError as err:
        raise Refused(20001, f"{told} is not a date.") from err
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment, moment + (timedelta(days=1) if len(told) == len("2026-01-01") else timedelta(seconds=1))
