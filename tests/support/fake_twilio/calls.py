"""The life of a call: queued, ringing, in-progress, then completed, busy, no-answer, failed or canceled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urljoin

from tests.support.fake_twilio import twiml
from tests.support.fake_twilio.checks import CallOrder
from tests.support.fake_twilio.exchange import Exchange, new_sid
from tests.support.fake_twilio.handsets import AnsweredBy
from tests.support.fake_twilio.keypad import Keypad

FINAL = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})
MOST_DOCUMENTS = 50


@dataclass(slots=True)
class Call:
    """``keypad``: of somebody who took this call and listens now; without one the answer was told before."""

    sid: str
    order: CallOrder
    created_at: datetime
    updated_at: datetime
    status: str = "queued"
    answered_by: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    heard: list[str] = field(default_factory=list)
    pressed: list[str] = field(default_factory=list)
    events: int = 0
    keypad: Keypad | None = None

    @property
    def duration_s(self) -> int:
        if self.started_at is None or self.ended_at is None:
            return 0
        return round((self.ended_at - self.started_at).total_seconds())


class Calling:
    """Rings phones, plays TwiML to who answers, and hands in what they press."""

    def __init__(self, exchange: Exchange) -> None:
        self._x = exchange
        self.by_sid: dict[str, Call] = {}

    def accept(self, order: CallOrder) -> Call:
        """Take an order to ring somebody and write it down."""
        now = self._x.clock.wall()
        call = Call(new_sid("CA"), order, now, now)
        self.by_sid[call.sid] = call
        self._x.ledger.add(
            "call",
            sid=call.sid,
            phone=order.to,
            channel="voice",
            text=_told(order),
            sender=order.sender,
            url=order.url,
            status_callback=order.status_callback,
            accepted_at=now.isoformat(),
            accepted_s=self._x.clock.elapsed_s(),
        )
        self._x.agenda.after(0, lambda: self._ring(call))
        return call

    def answer(self, sid: str, press: Sequence[str] = (), answered_by: AnsweredBy = "human") -> bool:
        """Let somebody take a ringing call and press digits; False when it does not ring any more."""
        call = self.by_sid[sid]
        if call.status != "ringing":
            return False
        self._x.agenda.after(0, lambda: self._talk(call, answered_by, list(press)))
        return True

    def pick_up(self, sid: str) -> bool:
        """Let somebody take a ringing call who will press keys while it talks; see ``press``."""
        call = self.by_sid[sid]
        if call.status != "ringing" or call.keypad is not None:
            return False
        call.keypad = Keypad(self._x.agenda)
        return self.answer(sid)

    def press(self, sid: str, keys: str) -> bool:
        """Press keys in a call that was picked up; False when it is over.

        Raises:
            ValueError: There is no such key.
        """
        call = self.by_sid[sid]
        if call.keypad is None or call.status in FINAL:
            return False
        call.keypad.press(keys)
        return True

    async def hang_up(self, sid: str) -> bool:
        """Let who picked up hang up, or who is rung decline; False when there is nothing to end."""
        call = self.by_sid[sid]
        if call.status not in {"ringing", "in-progress"}:
            return False
        await self._end(call, "busy" if call.status == "ringing" else "completed")
        if call.keypad is not None:
            call.keypad.put_down()
        return True

    async def cancel(self, sid: str, status: str) -> None:
        """Do what ``POST Calls/{sid}.json`` asks: end it before it is answered, or hang up."""
        call = self.by_sid[sid]
        if call.status in {"queued", "ringing"}:
            await self._end(call, "canceled")
        elif status == "completed" and call.status == "in-progress":
            await self._end(call, "completed")

    def restore(self, entries: Iterable[dict[str, Any]]) -> None:
        """Take up calls from a ledger that an earlier process wrote; one that was under way has failed."""
        for entry in entries:
            if entry["kind"] == "call":
                self.by_sid[entry["sid"]] = _remembered(entry)
            elif entry["kind"] == "status" and (known := self.by_sid.get(entry["sid"])):
                known.status = entry["status"]
        for call in self.by_sid.values():
            if call.status not in FINAL:
                self._x.agenda.after(0, partial(self._end, call, "failed"))

    def forget(self) -> None:
        self.by_sid.clear()

    async def _ring(self, call: Call) -> None:
        if call.status != "queued":
            return
        await self._move(call, "queued", "initiated")
        await self._move(call, "ringing", "ringing")
        behaviour = self._x.handsets.of(call.order.to)
        manner = behaviour.call
        wait_s = self._x.settings.ring_s if manner.after_ms is None else manner.after_ms / 1000
        if not behaviour.on or manner.answered_by == "nobody" or wait_s > call.order.timeout_s:
            self._x.agenda.after(call.order.timeout_s, lambda: self._end(call, "no-answer"))
        elif manner.answered_by == "busy":
            await self._end(call, "busy")
        else:
            deed = lambda: self._talk(call, manner.answered_by, list(manner.press))  # noqa: E731
            self._x.agenda.after(wait_s, deed)

    async def _talk(self, call: Call, answered_by: AnsweredBy, press: list[str]) -> None:
        if call.status != "ringing":
            return
        call.started_at = self._x.clock.wall()
        call.answered_by = self._detected(call, answered_by)
        await self._move(call, "in-progress", "answered")
        await self._tell_detection(call)
        try:
            await self._listen(call, [] if answered_by == "machine" else press)
        except twiml.BrokenTwiml as err:
            self._x.ledger.add("callback_refused", url=call.order.url, status=200, reason=str(err))
        self._x.ledger.add(
            "heard",
            sid=call.sid,
            phone=call.order.to,
            channel="voice",
            text=" ".join(call.heard),
            by=answered_by,
            pressed=list(call.pressed),
        )
        await self._end(call, "completed")

    async def _listen(self, call: Call, press: list[str]) -> None:
        """Play documents one after the other until one hangs up or ends."""
        url = call.order.url or ""
        document = call.order.twiml if call.order.twiml else await self._fetch(call, url, {})
        for _ in range(MOST_DOCUMENTS):
            if document is None:
                return
            following = await self._play(call, document, url, press)
            if following is None:
                return
            document, url = following

    async def _play(
        self, call: Call, document: str, base: str, press: list[str]
    ) -> tuple[str | None, str] | None:
        for verb in twiml.verbs(document):
            if call.status != "in-progress" or isinstance(verb, twiml.Hangup):
                return None
            if isinstance(verb, twiml.Redirect):
                url = urljoin(base, verb.url)
                return await self._fetch(call, url, {}), url
            if isinstance(verb, twiml.Gather):
                following = await self._gather(call, verb, base, press)
                if following is not None:
                    return following
            else:
                await self._hear(call, verb)
        return None

    async def _gather(
        self, call: Call, verb: twiml.Gather, base: str, press: list[str]
    ) -> tuple[str | None, str] | None:
        for prompt in verb.prompts:
            await self._hear(call, prompt)
        url = urljoin(base, verb.action or "")
        digits = await self._digits(call, verb, press)
        if digits:
            return await self._hand_in(call, url, digits), url
        if call.status != "in-progress":
            return None
        return (await self._fetch(call, url, {"Digits": ""}), url) if verb.on_empty else None

    async def _digits(self, call: Call, verb: twiml.Gather, press: list[str]) -> str:
        if press:
            return press.pop(0)[: verb.digits]
        if call.keypad is not None:
            return await call.keypad.digits(verb.digits, verb.timeout_s)
        await self._x.agenda.wait(verb.timeout_s)
        return ""

    async def _hear(self, call: Call, prompt: twiml.Say | twiml.Pause) -> None:
        """Say the words; a key that somebody presses cuts them short."""
        if isinstance(prompt, twiml.Say):
            call.heard.append(prompt.text)
        if call.keypad is None:
            await self._x.agenda.wait(prompt.seconds)
            return
        if isinstance(prompt, twiml.Say):
            self._x.ledger.add("said", sid=call.sid, phone=call.order.to, channel="voice", text=prompt.text)
        await call.keypad.listen(prompt.seconds)

    async def _hand_in(self, call: Call, url: str, digits: str) -> str | None:
        call.pressed.append(digits)
        answer_id = f"{call.sid}-{len(call.pressed)}"
        self._x.ledger.add(
            "answer", answer=answer_id, phone=call.order.to, channel="voice", words=digits, to_sid=call.sid
        )
        answer, attempts = await self._x.webhooks.insist(url, self._fields(call) | {"Digits": digits})
        taken = answer is not None and answer.taken
        self._x.ledger.add(
            "answer_taken",
            answer=answer_id,
            taken=taken,
            status=answer.status if answer else None,
            attempts=attempts,
        )
        return answer.text if answer is not None and taken else None

    async def _fetch(self, call: Call, url: str, more: dict[str, str]) -> str | None:
        answer = await self._x.webhooks.ask(url, self._fields(call) | more)
        if answer is None or not answer.taken:
            self._x.ledger.add("callback_refused", url=url, status=answer.status if answer else None)
            return None
        return answer.text

    def _detected(self, call: Call, answered_by: AnsweredBy) -> str | None:
        if call.order.machine_detection is None:
            return None
        if answered_by == "human":
            return "human"
        return "machine_end_beep" if call.order.machine_detection == "DetectMessageEnd" else "machine_start"

    async def _tell_detection(self, call: Call) -> None:
        if call.answered_by and call.order.async_amd_callback:
            fields = {"AnsweredBy": call.answered_by, "MachineDetectionDuration": "2000"}
            await self._x.webhooks.report(
                call.order.async_amd_callback, self._fields(call) | fields, call.order.to
            )

    async def _end(self, call: Call, status: str) -> None:
        if call.status in FINAL:
            return
        call.ended_at = self._x.clock.wall()
        await self._move(call, status, "completed")

    async def _move(self, call: Call, status: str, event: str) -> None:
        if call.sid not in self.by_sid:
            return  # forgotten by a reset
        call.status, call.updated_at = status, self._x.clock.wall()
        told = "initiated" if event == "initiated" else status
        self._x.ledger.add(
            "status", sid=call.sid, phone=call.order.to, channel="voice", status=told, code=None
        )
        if event not in call.order.events:
            return
        fields = self._fields(call) | {
            "CallStatus": told,
            "Timestamp": call.updated_at.strftime("%a, %d %b %Y %H:%M:%S +0000"),
            "CallbackSource": "call-progress-events",
            "SequenceNumber": str(call.events),
        }
        if status in FINAL:
            fields |= {"CallDuration": str(call.duration_s), "Duration": str(-(-call.duration_s // 60))}
        call.events += 1
        await self._x.webhooks.report(call.order.status_callback, fields, call.order.to)

    def _fields(self, call: Call) -> dict[str, str]:
        fields = {
            "AccountSid": self._x.settings.account_sid,
            "ApiVersion": "2010-04-01",
            "CallSid": call.sid,
            "CallStatus": call.status,
            "Direction": "outbound-api",
            "From": call.order.sender,
            "To": call.order.to,
            "Called": call.order.to,
            "Caller": call.order.sender,
        }
        return fields | ({"AnsweredBy": call.answered_by} if call.answered_by else {})


def _remembered(entry: dict[str, Any]) -> Call:
    at = datetime.fromisoformat(entry["accepted_at"])
    order = CallOrder(
        to=entry["phone"],
        sender=entry["sender"],
        url=entry["url"],
        twiml=None,
        status_callback=entry["status_callback"],
        events=frozenset({"completed"}),
        timeout_s=60,
        machine_detection=None,
        async_amd_callback=None,
    )
    return Call(entry["sid"], order, at, at)


def _told(order: CallOrder) -> str | None:
    if order.twiml is None:
        return None
    try:
        return twiml.heard(order.twiml)
    except twiml.BrokenTwiml:
        return None
