"""What people send back, and what the webhook answers to it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from tests.support.fake_twilio import twiml
from tests.support.fake_twilio.checks import MessageOrder
from tests.support.fake_twilio.errors import Refused
from tests.support.fake_twilio.exchange import Exchange, new_sid
from tests.support.fake_twilio.messages import Message, Texting
from tests.support.fake_twilio.segments import segments

REPLY_VALIDITY_S = 36_000


class Replying:
    """Posts words from phones until they are taken, and writes down whether they were."""

    def __init__(self, exchange: Exchange, texting: Texting) -> None:
        self._x = exchange
        self._texting = texting
        texting.on_read = self._on_read

    def say(self, phone: str, to: str, words: str, *, after_s: float = 0.0, to_sid: str | None = None) -> str:
        """Let a phone send words to a sender's number; return the sid that the webhook will see."""
        sid = new_sid("SM")
        self._x.agenda.after(after_s, partial(self._hand_in, sid, phone, to, words, to_sid))
        return sid

    def restore(self, entries: Iterable[dict[str, Any]]) -> None:
        """Hand in again what an earlier process had not got rid of."""
        open_ones: dict[str, dict[str, Any]] = {}
        for entry in entries:
            if entry["kind"] == "answer" and entry["channel"] == "sms":
                open_ones[entry["answer"]] = entry
            elif entry["kind"] == "answer_taken":
                open_ones.pop(entry["answer"], None)
        for sid, entry in open_ones.items():
            self._x.agenda.after(0, partial(self._post, sid, entry["phone"], entry["to"], entry["words"]))

    def _on_read(self, message: Message) -> None:
        for words, after_ms in self._x.handsets.replies(message.to, message.body):
            self.say(message.to, message.sender, words, after_s=after_ms / 1000, to_sid=message.sid)

    async def _hand_in(self, sid: str, phone: str, to: str, words: str, to_sid: str | None) -> None:
        self._x.handsets.heed(phone, to, words)
        self._x.ledger.add(
            "answer", answer=sid, phone=phone, channel="sms", words=words, to=to, to_sid=to_sid
        )
        await self._post(sid, phone, to, words)

    async def _post(self, sid: str, phone: str, to: str, words: str) -> None:
        url = self._x.settings.message_in
        answer, attempts = (
            await self._x.webhooks.insist(url, self._fields(sid, phone, to, words)) if url else (None, 0)
        )
        taken = answer is not None and answer.taken
        status = answer.status if answer else None
        self._x.ledger.add("answer_taken", answer=sid, taken=taken, status=status, attempts=attempts)
        if answer is not None and taken:
            self._send_back(phone, to, answer.text)

    def _send_back(self, phone: str, sender: str, document: str) -> None:
        try:
            texts = twiml.texts(document)
        except twiml.BrokenTwiml as err:
            self._x.ledger.add(
                "callback_refused", url=self._x.settings.message_in, status=200, reason=str(err)
            )
            return
        for text in texts:
            order = MessageOrder(phone, sender, None, text, None, REPLY_VALIDITY_S)
            try:
                self._texting.accept(order, via="twiml")
            except Refused:
                continue  # a person who said STOP gets no answer to it

    def _fields(self, sid: str, phone: str, to: str, words: str) -> dict[str, str]:
        return {
            "AccountSid": self._x.settings.account_sid,
            "ApiVersion": "2010-04-01",
            "Body": words,
            "From": phone,
            "To": to,
            "MessageSid": sid,
            "SmsMessageSid": sid,
            "SmsSid": sid,
            "SmsStatus": "received",
            "NumMedia": "0",
            "NumSegments": str(segments(words)),
        }
