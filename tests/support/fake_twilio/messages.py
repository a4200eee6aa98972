"""The life of a text: accepted or queued, sending, sent, then delivered, undelivered or failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.support.fake_twilio.checks import MessageOrder
from tests.support.fake_twilio.errors import Refused
from tests.support.fake_twilio.exchange import Exchange, new_sid
from tests.support.fake_twilio.segments import segments

EXPIRED, QUEUE_FULL, OFF = 30036, 30001, 30003
FINAL = frozenset({"delivered", "undelivered", "failed"})


@dataclass(slots=True)
class Message:
    sid: str
    to: str
    sender: str
    service: str | None
    body: str
    segments: int
    status: str
    status_callback: str | None
    validity_s: int
    accepted_s: float
    created_at: datetime
    updated_at: datetime
    sent_at: datetime | None = None
    error_code: int | None = None
    direction: str = "outbound-api"


class Texting:
    """Takes orders, moves texts through their states and tells what became of them."""

    def __init__(self, exchange: Exchange) -> None:
        self._x = exchange
        self.by_sid: dict[str, Message] = {}
        self.on_read: Callable[[Message], None] = lambda _message: None
        self._free_s: dict[str, float] = {}

    def accept(self, order: MessageOrder, *, via: str = "api") -> Message:
        """Take a text into the sender's queue and write it down.

        Raises:
            Refused: 21610 after STOP, 21611 when the queue of a direct sender is full.
        """
        sender = order.sender or self._x.settings.number_of(order.service or "")
        if self._x.handsets.stopped(order.to, sender):
            raise Refused(21610, "Attempt to send to unsubscribed recipient")
        now_s, parts = self._x.clock.elapsed_s(), segments(order.body)
        start_s = max(now_s, self._free_s.get(sender, 0.0))
        full = start_s - now_s >= self._x.faults.plan.queue_limit_s
        if full and order.service is None:
            raise Refused(21611, "This 'From' number has exceeded the maximum number of queued messages.")
        message = self._write_down(order, sender, parts, via)
        if full:
            self._x.agenda.after(0, lambda: self._end(message, "failed", QUEUE_FULL))
            return message
        self._free_s[sender] = start_s + parts / self._x.settings.segments_per_s
        self._queue(message, start_s)
        return message

    def restore(self, entries: Iterable[dict[str, Any]]) -> None:
        """Take up texts from a ledger that an earlier process wrote; what was under way goes on."""
        for entry in entries:
            if entry["kind"] == "message":
                self._keep(_remembered(entry, self._x.clock.elapsed_s()))
            elif entry["kind"] == "status" and (known := self.by_sid.get(entry["sid"])):
                known.status, known.error_code = entry["status"], entry["code"]
        for message in self.by_sid.values():
            if message.status not in FINAL:
                self._queue(message, message.accepted_s)

    def forget(self) -> None:
        self.by_sid.clear()
        self._free_s.clear()

    def _write_down(self, order: MessageOrder, sender: str, parts: int, via: str) -> Message:
        now = self._x.clock.wall()
        message = Message(
            sid=new_sid("SM"),
            to=order.to,
            sender=sender,
            service=order.service,
            body=order.body,
            segments=parts,
            status="accepted" if order.service else "queued",
            status_callback=order.status_callback,
            validity_s=order.validity_s,
            accepted_s=self._x.clock.elapsed_s(),
            created_at=now,
            updated_at=now,
            direction="outbound-api" if via == "api" else "outbound-reply",
        )
        self._keep(message)
        self._x.ledger.add(
            "message",
            sid=message.sid,
            phone=message.to,
            channel="sms",
            text=message.body,
            sender=sender,
            service=message.service,
            segments=parts,
            status_callback=message.status_callback,
            validity_s=message.validity_s,
            accepted_at=now.isoformat(),
            accepted_s=message.accepted_s,
            via=via,
        )
        return message

    def _keep(self, message: Message) -> None:
        self.by_sid[message.sid] = message

    def _queue(self, message: Message, start_s: float) -> None:
        dies_s = message.accepted_s + message.validity_s
        if start_s > dies_s:
            self._x.agenda.at(dies_s, lambda: self._end(message, "failed", EXPIRED))
        else:
            self._x.agenda.at(start_s, lambda: self._send(message))

    async def _send(self, message: Message) -> None:
        await self._move(message, "sending")
        message.sent_at = self._x.clock.wall()
        await self._move(message, "sent")
        self._x.agenda.after(self._x.settings.deliver_s, lambda: self._arrive(message))

    async def _arrive(self, message: Message) -> None:
        code = self._x.faults.plan.code_for(message.to)
        if code is None and not self._x.handsets.of(message.to).on:
            code = OFF
        if code is not None:
            await self._end(message, "undelivered", code)
            return
        await self._end(message, "delivered", None)

    async def _end(self, message: Message, status: str, code: int | None) -> None:
        message.error_code = code
        if status == "delivered":
            # Before the report: a person may answer while the status is still under way.
            self.on_read(message)
        await self._move(message, status)

    async def _move(self, message: Message, status: str) -> None:
        if message.sid not in self.by_sid:
            return  # forgotten by a reset
        message.status, message.updated_at = status, self._x.clock.wall()
        self._x.ledger.add(
            "status",
            sid=message.sid,
            phone=message.to,
            channel="sms",
            status=status,
            code=message.error_code,
        )
        fields = {
            "AccountSid": self._x.settings.account_sid,
            "ApiVersion": "2010-04-01",
            "From": message.sender,
            "To": message.to,
            "MessageSid": message.sid,
            "SmsSid": message.sid,
            "MessageStatus": status,
            "SmsStatus": status,
        }
        if message.service:
            fields["MessagingServiceSid"] = message.service
        if message.error_code is not None:
            fields["ErrorCode"] = str(message.error_code)
        await self._x.webhooks.report(message.status_callback, fields, message.to)


def _remembered(entry: dict[str, Any], now_s: float) -> Message:
    at = datetime.fromisoformat(entry["accepted_at"])
    return Message(
        sid=entry["sid"],
        to=entry["phone"],
        sender=entry["sender"],
        service=entry["service"],
        body=entry["text"],
        segments=entry["segments"],
        status="accepted" if entry["service"] else "queued",
        status_callback=entry["status_callback"],
        validity_s=entry["validity_s"],
        accepted_s=now_s,
        created_at=at,
        updated_at=at,
        direction="outbound-api" if entry["via"] == "api" else "outbound-reply",
    )
