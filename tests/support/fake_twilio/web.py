"""The part of the API that we use, over HTTP, with the fault plan in front."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.fake_twilio import checks
from tests.support.fake_twilio.errors import Refused
from tests.support.fake_twilio.rendering import API, call_json, message_json, page_json
from tests.support.fake_twilio.requests import authenticated, filtered_path, form_of, in_time, page_of
from tests.support.fake_twilio.wire import reset

if TYPE_CHECKING:
    from tests.support.fake_twilio.carrier import FakeCarrier

Handler = Callable[[Request], Awaitable[Response]]


class TwilioApi:
    """Routes of ``/2010-04-01/Accounts/{account}``."""

    def __init__(self, carrier: FakeCarrier) -> None:
        self._carrier = carrier

    def routes(self) -> list[Route]:
        base = f"/{API}/Accounts/{{account}}"
        rows: list[tuple[str, str, Handler]] = [
            ("POST", "/Messages.json", self._send),
            ("GET", "/Messages.json", self._messages),
            ("GET", "/Messages/{sid}.json", self._message),
            ("POST", "/Calls.json", self._ring),
            ("GET", "/Calls.json", self._calls),
            ("GET", "/Calls/{sid}.json", self._call),
            ("POST", "/Calls/{sid}.json", self._change_call),
        ]
        return [Route(base + path, self._guarded(handler), methods=[verb]) for verb, path, handler in rows]

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            try:
                authenticated(request, self._carrier.settings)
                return await handler(request)
            except Refused as err:
                headers = {"WWW-Authenticate": 'Basic realm="Twilio API"'} if err.status == 401 else {}
                if err.retry_after_s is not None:
                    headers["Retry-After"] = str(err.retry_after_s)
                return JSONResponse(err.json(), err.status, headers)

        return guarded

    async def _send(self, request: Request) -> Response:
        def take(form: checks.Form) -> dict[str, Any]:
            message = self._carrier.texting.accept(checks.message_order(form))
            return message_json(self._carrier.settings.account_sid, message)

        return await self._create(request, take)

    async def _ring(self, request: Request) -> Response:
        def take(form: checks.Form) -> dict[str, Any]:
            call = self._carrier.calling.accept(checks.call_order(form))
            return call_json(self._carrier.settings.account_sid, call)

        return await self._create(request, take)

    async def _create(self, request: Request, take: Callable[[checks.Form], dict[str, Any]]) -> Response:
        """Take an order, or fail as the plan says: before taking it, or after."""
        form = await form_of(request)
        plan = self._carrier.faults.plan
        fault, slow_s = self._carrier.faults.request((form.get("To") or [""])[0])
        if fault == "down":
            raise Refused(20503, "Service unavailable", 503)
        if fault == "busy":
            raise Refused(20429, "Too Many Requests", 429, plan.retry_after_s)
        if fault == "fail_before":
            raise Refused(20500, "Internal server error", 500)
        resource = take(form)
        if fault == "fail_after":
            raise Refused(20500, "Internal server error", 500)
        if fault == "hang_after":
            await _hang(request, plan.hang_s)
        if fault == "reset_after":
            reset(request.scope)
            return Response(status_code=500)  # nobody reads it: the connection is gone
        if slow_s > 0:
            await asyncio.sleep(slow_s)
        return JSONResponse(resource, 201, {"Twilio-Concurrent-Requests": "1"})

    async def _message(self, request: Request) -> Response:
        message = self._carrier.texting.by_sid.get(request.path_params["sid"])
        if message is None:
            raise _not_found(request)
        return JSONResponse(message_json(self._carrier.settings.account_sid, message))

    async def _messages(self, request: Request) -> Response:
        """List newest first. A text not yet sent is filtered by the time it was created."""
        asked = request.query_params
        newest = self._carrier.clock.wall() - timedelta(seconds=self._carrier.faults.plan.list_stale_s)
        fitting = [
            message
            for message in reversed(self._carrier.texting.by_sid.values())
            if asked.get("To") in {None, message.to}
            and asked.get("From") in {None, message.sender}
            and message.created_at <= newest
            and in_time(request, "DateSent", message.sent_at or message.created_at)
        ]
        account = self._carrier.settings.account_sid
        rows = [message_json(account, message) for message in fitting]
        return JSONResponse(page_json("messages", rows, filtered_path(request), *page_of(request)))

    async def _call(self, request: Request) -> Response:
        call = self._carrier.calling.by_sid.get(request.path_params["sid"])
        if call is None:
            raise _not_found(request)
        return JSONResponse(call_json(self._carrier.settings.account_sid, call))

    async def _calls(self, request: Request) -> Response:
        asked = request.query_params
        newest = self._carrier.clock.wall() - timedelta(seconds=self._carrier.faults.plan.list_stale_s)
        fitting = [
            call
            for call in reversed(self._carrier.calling.by_sid.values())
            if asked.get("To") in {None, call.order.to}
            and asked.get("From") in {None, call.order.sender}
            and asked.get("Status") in {None, call.status}
            and call.created_at <= newest
            and in_time(request, "StartTime", call.started_at or call.created_at)
        ]
        rows = [call_json(self._carrier.settings.account_sid, call) for call in fitting]
        return JSONResponse(page_json("calls", rows, filtered_path(request), *page_of(request)))

    async def _change_call(self, request: Request) -> Response:
        call = self._carrier.calling.by_sid.get(request.path_params["sid"])
        if call is None:
            raise _not_found(request)
        form = await form_of(request)
        status = (form.get("Status") or [""])[0]
        if set(form) != {"Status"} or status not in {"canceled", "completed"}:
            raise Refused(21218, "Only Status=canceled and Status=completed are played here.")
        await self._carrier.calling.cancel(call.sid, status)
        return JSONResponse(call_json(self._carrier.settings.account_sid, call))


def _not_found(request: Request) -> Refused:
    return Refused(20404, f"The requested resource {request.url.path} was not found", 404)


async def _hang(request: Request, seconds: float) -> None:
    for _ in range(round(seconds * 10)):
        if await request.is_disconnected():
            return
        await asyncio.sleep(0.1)
