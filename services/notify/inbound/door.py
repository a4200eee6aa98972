"""The webhook door: a process of its own that needs neither broker nor database nor notify to answer.

Checked, stored in its spool, answered; notify fetches it from here (DESIGN §5.10). What a call says next
is computed from the signed token in the URL alone.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from prometheus_client import CollectorRegistry, Counter
from pydantic import BaseModel, Field
from starlette.datastructures import FormData

from services.notify.carrier_settings import CarrierSettings
from services.notify.inbound import link_pages
from services.notify.inbound.signature import HEADER, BadForm, SignatureCheck, form_of
from services.notify.outbound import callback_token, link_token, spool, twiml
from services.notify.outbound.callback_token import PARAMETER, REPEAT, Subject, TokenError
from services.notify.outbound.spool import Spool
from services.runtime.clock import Clock
from services.runtime.health import Health
from services.runtime.http import Problem, RowCursor, admin_guard, body_limited, service_app

log = structlog.get_logger()

MAX_BODY: Final = 65_536
XML: Final = "text/xml; charset=utf-8"
LAST_STEP: Final = 2
MOST_WAIT_S: Final = 20.0
LINK: Final = "link"
ACTS: Final = frozenset({"ok", "pass"})
STEPS: Final = frozenset({"1", "2", "silence"})


class Ids(BaseModel):
    """What notify has taken over."""

    ids: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=1_000)]


class Door:
    """The routes and what they share.

    Args:
        settings: Public address, tokens, the administrator's token.
        store: The spool.
        clock: Says when a request was received.
        health: Answers ``/healthz``.
        registry: Answers ``/metrics``.
    """

    def __init__(
        self,
        settings: CarrierSettings,
        store: Spool,
        clock: Clock,
        health: Health,
        registry: CollectorRegistry | None = None,
    ) -> None:
        registry = registry or CollectorRegistry()
        self._public_url = settings.public_url
        self._tokens = settings.tokens
        self._check = SignatureCheck(settings.public_url, settings.tokens)
        self._spool = store
        self._clock = clock
        self._refused = Counter(
            "municipio_door_refused", "Requests without a valid signature", ["why"], registry=registry
        )
        self._stored = Counter("municipio_door_stored", "Requests stored", ["kind", "new"], registry=registry)
        ours = [Depends(admin_guard(settings.require_admin_token()))]
        self.http: FastAPI = service_app("door", health, registry, inside=ours)
        self.http.include_router(self._carrier_routes())
        self.http.include_router(self._link_routes())
        self.http.include_router(self._notify_routes(ours))

    def _carrier_routes(self) -> APIRouter:
        routes = APIRouter(prefix="/twilio")
        routes.add_api_route("/message-status", self._status, methods=["POST"], status_code=204)
        routes.add_api_route("/message-in", self._message, methods=["POST"])
        routes.add_api_route("/voice/{step}", self._voice, methods=["POST"])
        return routes

    def _link_routes(self) -> APIRouter:
        routes = APIRouter(prefix="/a", include_in_schema=False)
        routes.add_api_route("/{token}", self._see_link, methods=["GET", "HEAD"])
        routes.add_api_route("/{token}", self._answer_link, methods=["POST"])
        return routes

    def _notify_routes(self, ours: list[Any]) -> APIRouter:
        routes = APIRouter(prefix="/spool", dependencies=ours)
        routes.add_api_route("", self._list, methods=["GET"])
        routes.add_api_route("/ack", self._ack, methods=["POST"])
        return routes

    async def _status(self, request: Request) -> Response:
        form = await self._verified(request)
        word = form.get("MessageStatus") or form.get("CallStatus") or f"amd {form.get('AnsweredBy', '')}"
        await self._store(request, "message-status", form, _sid(form), str(word))
        return Response(status_code=204)

    async def _message(self, request: Request) -> Response:
        form = await self._verified(request)
        await self._store(request, "message-in", form, _sid(form))
        return Response(twiml.empty(), media_type=XML)

    async def _voice(self, request: Request, step: str) -> Response:
        form = await self._verified(request)
        subject = self._subject(request)
        if step not in STEPS or subject is None:
            raise Problem(404, "Not Found", "no such step of a call")
        digits = str(form.get("Digits", ""))
        if digits:
            await self._store(request, "voice", form, _sid(form), step, digits)
        return Response(self._spoken(subject, step, digits, request.url.query), media_type=XML)

    async def _see_link(self, token: str) -> Response:
        """Show what a link would do. Mail and message programs open links too: looking never answers."""
        link = self._link(token)
        if isinstance(link, Response):
            return link
        is_answered = any([await self._spool.knows(_link_id(token, act)) for act in sorted(ACTS)])
        return link_pages.said("answered") if is_answered else link_pages.question(link)

    async def _answer_link(self, request: Request, token: str) -> Response:
        body = await body_limited(request, MAX_BODY)
        link = self._link(token)
        if isinstance(link, Response):
            return link
        try:
            act = str(form_of(body).get("act", ""))
        except BadForm:
            act = ""
        if act not in ACTS:
            return link_pages.said("unclear", 422)
        kept = spool.Request(
            id=_link_id(token, act),
            kind=LINK,
            received_at=self._clock.now(),
            url=f"{link_token.PATH}{token}",
            form={"act": [act]},
        )
        is_new = await self._spool.add(kept)
        self._stored.labels(LINK, str(is_new).lower()).inc()
        return link_pages.said("kept" if is_new else "answered")

    def _link(self, token: str) -> link_token.Link | Response:
        """Return what a good link says, or the page for one that is not; nothing of that is kept."""
        try:
            link = link_token.read(token, self._tokens)
        except link_token.LinkError:
            self._refused.labels(LINK).inc()
            return link_pages.said("altered", 403)
        return link if self._clock.now() < link.expires_at else link_pages.said("expired", 410)

    def _spoken(self, subject: Subject, step: str, digits: str, query: str) -> str:
        if twiml.is_answer(digits, subject.purpose):
            return twiml.thanks(subject.language)
        if step == "silence" or int(step) >= LAST_STEP:
            return twiml.goodbye(subject.purpose, subject.language)
        base = f"{self._public_url}/twilio/voice"
        return twiml.ask_again(
            subject.purpose,
            subject.language,
            f"{base}/{int(step) + 1}?{query}{REPEAT}",
            f"{base}/silence?{query}{REPEAT}",
        )

    async def _verified(self, request: Request) -> FormData:
        """Return the form of a request that the carrier signed; nothing of any other is kept.

        Raises:
            Problem: 403 without detail, 413.
        """
        body = await body_limited(request, MAX_BODY)
        try:
            form = form_of(body)
        except BadForm as err:
            raise self._refusal("form") from err
        signature = request.headers.get(HEADER)
        if not self._check.holds(_signed_path(request), form, signature):
            raise self._refusal("signature" if signature else "unsigned")
        return form

    def _refusal(self, why: str) -> Problem:
        self._refused.labels(why).inc()
        log.warning("door.request_refused", why=why)
        return Problem(403, "Forbidden")

    def _subject(self, request: Request) -> Subject | None:
        try:
            return callback_token.read(request.query_params.get(PARAMETER, ""), self._tokens)
        except TokenError:
            return None

    async def _store(self, request: Request, kind: str, form: FormData, *identity: str) -> None:
        """Keep a request; the same once more is the same row."""
        fields = {name: [str(one) for one in form.getlist(name)] for name in form}
        same = "\n".join((kind, *identity)) if identity[0] else repr(sorted(fields.items()))
        kept = spool.Request(
            id=hashlib.sha256(same.encode()).hexdigest(),
            kind=kind,
            received_at=self._clock.now(),
            url=_signed_path(request),
            form=fields,
        )
        is_new = await self._spool.add(kept)
        self._stored.labels(kind, str(is_new).lower()).inc()

    async def _list(
        self,
        after: RowCursor = 0,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
        wait_s: Annotated[float, Query(ge=0, le=MOST_WAIT_S)] = 0.0,
    ) -> dict[str, Any]:
        found = await self._spool.after(after, limit, wait_s)
        items = [
            {
                "seq": each.seq,
                "id": each.request.id,
                "kind": each.request.kind,
                "received_at": each.request.received_at.isoformat(),
                "url": each.request.url,
                "form": each.request.form,
            }
            for each in found
        ]
        return {"items": items, "next": found[-1].seq if len(found) == limit else None}

    async def _ack(self, taken: Ids) -> dict[str, int]:
        return {"taken": await self._spool.take(taken.ids)}


def _link_id(token: str, act: str) -> str:
    return hashlib.sha256(f"{LINK}\n{token}\n{act}".encode()).hexdigest()


def _signed_path(request: Request) -> str:
    """Return path and query exactly as they stood in the request line, for that is what was signed."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    query: bytes = request.scope.get("query_string", b"")
    path = raw.split(b"?")[0].decode("latin-1")
    return f"{path}?{query.decode('latin-1')}" if query else path


def _sid(form: FormData) -> str:
    return str(form.get("MessageSid") or form.get("CallSid") or form.get("SmsSid") or "")
