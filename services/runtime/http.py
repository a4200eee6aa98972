"""Doors over HTTP: problem details (RFC 9457), bounded bodies, the admin guard, health and metrics."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import Annotated, Any

import structlog
import uvicorn
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from services.runtime.errors import Retriable
from services.runtime.health import Health, Report

log = structlog.get_logger()

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_S = 2
RowCursor = Annotated[int, Query(ge=0, le=2**63 - 1)]
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class Problem(Exception):
    """An answer that is not 2xx. ``errors`` items have ``pointer`` (JSON pointer) and ``detail``."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str = "",
        errors: Sequence[dict[str, str]] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {title}")
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = errors
        self.headers = headers

    def response(self) -> JSONResponse:
        return problem(self.status, self.title, self.detail, self.errors, self.headers)


def problem(
    status: int,
    title: str,
    detail: str = "",
    errors: Sequence[dict[str, str]] = (),
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """Return a problem-details response; 401 and 503 get the headers that they must have."""
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status}
    if detail:
        body["detail"] = detail
    if errors:
        body["errors"] = list(errors)
    needed = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": str(RETRY_AFTER_S)}}.get(status, {})
    return JSONResponse(body, status, headers={**needed, **(headers or {})}, media_type=PROBLEM_TYPE)


async def body_limited(request: Request, max_bytes: int) -> bytes:
    """Return the body, having read at most one chunk more than ``max_bytes``.

    Raises:
        Problem: 413.
    """
    too_large = Problem(413, "Body too large", f"at most {max_bytes} bytes are taken")
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said[:20]) > max_bytes:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise too_large
    return bytes(body)


def admin_guard(token: str) -> Callable[[Request], Awaitable[None]]:
    """Return a dependency that lets only ``Authorization: Bearer <token>`` pass."""
    expected = token.encode()

    async def guard(request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), expected):
            raise Problem(401, "Unauthorized", "this route needs the administrator's token")

    return guard


class PlainRoute(APIRoute):
    """A route whose endpoint takes the request as it stands: nothing to resolve, half the time."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        async def handle(request: Request) -> Response:
            answer: Response = await self.endpoint(request)
            return answer

        return handle


class RefuseControlCharacters:
    """Refuse a path or query that holds a control character before any route makes an id of it.

    No id has one. PostgreSQL cannot store NUL in a text, and a line break would forge a line of a log.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 400, or let the request through."""
        if scope["type"] == "http" and (
            _CONTROL.search(scope["path"]) or _ESCAPED_CONTROL.search(scope.get("query_string", b""))
        ):
            refused = problem(400, "Bad Request", "control characters stand in the path or the query")
            await refused(scope, receive, send)
            return
        await self._app(scope, receive, send)


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ESCAPED_CONTROL = re.compile(rb"[\x00-\x1f\x7f]|%(?:[01][0-9a-f]|7f)", re.IGNORECASE)


def service_app(
    service: str,
    health: Health,
    registry: CollectorRegistry,
    lifespan: Lifespan | None = None,
    *,
    inside: Sequence[Any] = (),
) -> FastAPI:
    """Return an app with ``/healthz``, ``/readyz``, ``/metrics``, ``/openapi.json`` and our error answers.

    ``inside``: dependencies that guard the last two, for a door that strangers reach.
    """
    app = FastAPI(
        title=f"municipio {service}", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None
    )
    app.add_middleware(RefuseControlCharacters)
    _handle_errors(app)

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> JSONResponse:
        return _report(health.alive())

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> JSONResponse:
        return _report(health.ready())

    @app.get("/metrics", include_in_schema=False, dependencies=inside)
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/openapi.json", include_in_schema=False, dependencies=inside)
    async def openapi() -> JSONResponse:
        return JSONResponse(app.openapi())

    return app


def _report(report: Report) -> JSONResponse:
    status = 200 if report.is_well else 503
    return JSONResponse({"ok": report.is_well, "troubles": report.troubles}, status)


def _handle_errors(app: FastAPI) -> None:
    async def on_problem(_request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)  # noqa: S101 - registered for this type only
        return error.response()

    async def on_http(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type only
        phrase = HTTPStatus(error.status_code).phrase
        detail = error.detail if error.detail != phrase else ""
        return problem(error.status_code, phrase, detail, headers=dict(error.headers or {}))

    async def on_invalid(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type only
        return _invalid(error)

    async def on_busy(_request: Request, error: Exception) -> Response:
        log.warning("http.answered_busy", reason=type(error).__name__)
        return problem(503, "Try again", "nothing of this request was stored")

    async def on_bug(request: Request, error: Exception) -> Response:
        log.error("http.failed", path=request.url.path, error=type(error).__name__, exc_info=error)
        return problem(500, "Internal error")

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(Retriable, on_busy)
    app.add_exception_handler(Exception, on_bug)


def _invalid(error: RequestValidationError) -> JSONResponse:
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return problem(400, "Not JSON", "the body cannot be parsed")
    errors = [
        {"pointer": "#/" + "/".join(str(step) for step in each["loc"][1:]), "detail": str(each["msg"])}
        for each in found[:100]
    ]
    return problem(422, "Not understood", errors=errors)


class _Server(uvicorn.Server):
    """Leaves signals to the process that runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: Any, host: str, port: int, stop: asyncio.Event, *, grace_s: int = 5) -> None:
    """Serve until ``stop``; requests in work get ``grace_s`` seconds to end.

    Raises:
        OSError: The address is taken or not ours.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=grace_s,
        h11_max_incomplete_event_size=65_536,
    )
    server = _Server(config)
    with _listen(host, port) as bound:
        async with _ends_with(server, stop):
            await server.serve(sockets=[bound])


def _listen(host: str, port: int) -> socket.socket:
    # uvicorn's own way ends the process here instead of telling us.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


@contextlib.asynccontextmanager
async def _ends_with(server: uvicorn.Server, stop: asyncio.Event) -> AsyncIterator[None]:
    async def watch() -> None:
        await stop.wait()
        server.should_exit = True

    watcher = asyncio.create_task(watch())
    try:
        yield
    finally:
        watcher.cancel()
