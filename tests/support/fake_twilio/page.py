"""The page of phones: its files, who the phones belong to, and the ledger as a stream of events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from tests.support.fake_twilio.carrier import FakeCarrier

Json = dict[str, Any]
FOLDER: Final = Path(__file__).parent / "pages"
LOOK_EVERY_S: Final = 0.1
TOWN_EVERY_S: Final = 1.0
MOST_AT_ONCE: Final = 500
SHOWN: Final = frozenset({"message", "call", "status", "said", "heard", "answer", "answer_taken", "switched"})
# Callback addresses and billing are nobody's business on a screen.
FIELDS: Final = ("seq", "kind", "at", "town_at", "sid", "phone", "channel", "text", "sender", "status")
FIELDS_OF_ANSWERS: Final = ("answer", "words", "to_sid", "taken", "pressed", "on", "by", "code")
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class PhonesPage:
    """``/phones`` and what it reads.

    ``people``: JSON file ``{number: {"name", "role", "zone"}}``, roles, no real names; it may appear later.
    """

    def __init__(self, carrier: FakeCarrier, people: Path | None) -> None:
        self._carrier = carrier
        self._people = people
        self._is_streaming = True

    def routes(self) -> list[Route]:
        return [
            Route("/", lambda _request: RedirectResponse("/phones")),
            Route("/phones", self._html),
            Route("/_page/{name}", self._file),
            Route("/_people", self._names),
            Route("/_town", self._town),
            Route("/_events", self._events),
        ]

    async def _html(self, _request: Request) -> Response:
        return FileResponse(FOLDER / "phones.html", headers=HEADERS)

    async def _file(self, request: Request) -> Response:
        known = {path.name: path for path in FOLDER.iterdir()}
        path = known.get(request.path_params["name"])
        return FileResponse(path, headers=HEADERS) if path else Response(status_code=404)

    async def _names(self, _request: Request) -> Response:
        return JSONResponse({"schema": "municipio/carrier-people/1", "people": self.people()})

    async def _town(self, _request: Request) -> Response:
        return JSONResponse(self._carrier.town.now())

    async def _events(self, request: Request) -> Response:
        told = request.headers.get("last-event-id") or request.query_params.get("after") or "0"
        if not told.isascii() or not told.isdigit():
            return JSONResponse({"detail": "Last-Event-ID is a number of the ledger"}, 422)
        headers = HEADERS | {"X-Accel-Buffering": "no"}
        return StreamingResponse(
            self._stream(request, int(told)), media_type="text/event-stream", headers=headers
        )

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Stream while entered; then every stream ends, as nothing else would end it."""
        self._is_streaming = True
        try:
            yield
        finally:
            self._is_streaming = False

    def people(self) -> dict[str, Json]:
        try:
            told = json.loads(self._people.read_text()) if self._people else {}
        except (OSError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}

    async def _stream(self, request: Request, seq: int) -> AsyncIterator[str]:
        """Yield entries as they are written, and the town once a second: silence means a broken line."""
        ledger, town_due_s = self._carrier.ledger, 0.0
        loop = asyncio.get_running_loop()
        yield "retry: 1000\n\n"
        while self._is_streaming and not await request.is_disconnected():
            oldest = ledger.entries[0]["seq"] if ledger.entries else ledger.last_seq + 1
            if seq > ledger.last_seq or 0 < seq < oldest - 1:
                seq = oldest - 1
                yield _event("reset", {}, seq)
            while entries := ledger.after(seq, MOST_AT_ONCE):
                seq = entries[-1]["seq"]
                yield _event("entries", [shown(each) for each in entries if each["kind"] in SHOWN], seq)
            if loop.time() >= town_due_s:
                town_due_s = loop.time() + TOWN_EVERY_S
                yield _event("town", self._carrier.town.now())
            await asyncio.sleep(LOOK_EVERY_S)


def shown(entry: Json) -> Json:
    """Return what the page may know of an entry."""
    return {name: entry[name] for name in (*FIELDS, *FIELDS_OF_ANSWERS) if entry.get(name) is not None}


def _event(name: str, told: object, seq: int | None = None) -> str:
    number = "" if seq is None else f"id: {seq}\n"
    return f"{number}event: {name}\ndata: {json.dumps(told, ensure_ascii=False, separators=(',', ':'))}\n\n"
