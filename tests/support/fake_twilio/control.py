"""Doors for tests: how phones behave, what goes wrong, who got what. Loopback only, no authentication."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.fake_twilio.faults import FaultPlan
from tests.support.fake_twilio.handsets import Behaviour

if TYPE_CHECKING:
    from tests.support.fake_twilio.carrier import FakeCarrier

MAX_ENTRIES = 10_000
Handler = Callable[[Request], Awaitable[Response]]


class ControlApi:
    """``/_control``, ``/_ledger`` and ``/phones.json``."""

    def __init__(self, carrier: FakeCarrier) -> None:
        self._carrier = carrier

    def routes(self) -> list[Route]:
        rows: list[tuple[str, str, Handler]] = [
            ("GET", "/_control", self._show),
            ("DELETE", "/_control", self._reset),
            ("POST", "/_control/phones", self._phones),
            ("POST", "/_control/faults", self._faults),
            ("POST", "/_control/webhooks", self._webhooks),
            ("POST", "/_control/say", self._say),
            ("POST", "/_control/answer", self._answer),
            ("POST", "/_control/call", self._call),
            ("POST", "/_control/switch", self._switch),
            ("GET", "/_ledger", self._ledger),
            ("DELETE", "/_ledger", self._forget),
            ("GET", "/_ledger/phones", self._ledger_phones),
            ("GET", "/phones.json", self._handsets),
        ]
        return [Route(path, _plain(handler), methods=[verb]) for verb, path, handler in rows]

    async def _show(self, _request: Request) -> Response:
        carrier = self._carrier
        return JSONResponse(
            {
                "schema": "municipio/carrier-control/1",
                "faults": carrier.faults.plan.json(),
                "faults_met": +carrier.faults.met,
                "phones": [
                    {"pattern": pattern, **asdict(behaviour)} for pattern, behaviour in carrier.handsets.rules
                ],
                "opted_out": sorted(list(pair) for pair in carrier.handsets.opted_out),
                "message_in": carrier.settings.message_in,
                "busy": carrier.agenda.busy(),
                "ledger_end": carrier.ledger.end,
                "next_due_s": carrier.agenda.next_due_s(),
                "now_s": carrier.clock.elapsed_s(),
            }
        )

    async def _reset(self, _request: Request) -> Response:
        self._carrier.handsets.reset()
        self._carrier.faults.follow(FaultPlan())
        return Response(status_code=204)

    async def _phones(self, request: Request) -> Response:
        told = await _object(request)
        rules = told.get("rules", [told])
        read = [
            (rule["pattern"], Behaviour.read({k: v for k, v in rule.items() if k != "pattern"}))
            for rule in rules
        ]
        for pattern, behaviour in read:
            self._carrier.handsets.behave(pattern, behaviour)
        return Response(status_code=204)

    async def _faults(self, request: Request) -> Response:
        self._carrier.faults.follow(FaultPlan.read(await _object(request)))
        return Response(status_code=204)

    async def _webhooks(self, request: Request) -> Response:
        self._carrier.message_in_at((await _object(request))["message_in"])
        return Response(status_code=204)

    async def _say(self, request: Request) -> Response:
        told = await _object(request)
        sid = self._carrier.say(
            told["phone"], told["words"], to=told.get("to"), after_s=told.get("after_s", 0)
        )
        return JSONResponse({"answer": sid}, 202)

    async def _answer(self, request: Request) -> Response:
        told = await _object(request)
        press = told.get("press", ())
        digits = (press,) if isinstance(press, str) else tuple(press)
        rang = self._carrier.calling.answer(told["call"], digits, told.get("answered_by", "human"))
        return Response(status_code=202 if rang else 409)

    async def _call(self, request: Request) -> Response:
        told = await _object(request)
        calling, sid, deed = self._carrier.calling, told["call"], told["do"]
        if deed == "pick_up":
            done = calling.pick_up(sid)
        elif deed == "press":
            done = calling.press(sid, told["keys"])
        elif deed == "hang_up":
            done = await calling.hang_up(sid)
        else:
            raise ValueError("do is pick_up, press or hang_up")
        return Response(status_code=202 if done else 409)

    async def _switch(self, request: Request) -> Response:
        told = await _object(request)
        if not isinstance(told["on"], bool):
            raise TypeError("on is true or false")
        self._carrier.switch(told["phone"], on=told["on"])
        return Response(status_code=204)

    async def _ledger(self, request: Request) -> Response:
        after = int(request.query_params.get("after", "0"))
        limit = min(MAX_ENTRIES, int(request.query_params.get("limit", str(MAX_ENTRIES))))
        items = self._carrier.ledger.after(after, limit)
        last = items[-1]["seq"] if items else after
        return JSONResponse({"schema": "municipio/carrier-ledger/1", "items": items, "next": last})

    async def _ledger_phones(self, _request: Request) -> Response:
        return JSONResponse({"schema": "municipio/carrier-phones/1", "items": self._carrier.ledger.phones()})

    async def _forget(self, _request: Request) -> Response:
        self._carrier.forget()
        return Response(status_code=204)

    async def _handsets(self, _request: Request) -> Response:
        return JSONResponse({"schema": "municipio/phones/1", "items": self._carrier.phone_list()})


def _plain(handler: Handler) -> Handler:
    """Answer 422 with one sentence where a control request is not understood."""

    async def plain(request: Request) -> Response:
        try:
            return await handler(request)
        except (ValueError, TypeError, KeyError, re.error) as err:
            return JSONResponse({"detail": f"{type(err).__name__}: {err}"}, 422)

    return plain


async def _object(request: Request) -> dict[str, Any]:
    told = json.loads(await request.body())
    if not isinstance(told, dict):
        raise TypeError("send one JSON object")
    return told
