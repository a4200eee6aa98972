"""The carrier behind one port: send a text, make a call, look up what became of one.

Every answer is one of five outcomes, because what follows differs (RELIABILITY §2.1): accepted; refused
for certain; throttled (not processed, safe to repeat); not sent (no connection); unknown (it may have
been sent). There is no idempotency key at the carrier, so *unknown* is never repeated at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from twilio.base.exceptions import (  # type: ignore[import-untyped]  # the SDK ships no types
    TwilioException,
)
from twilio.rest import Client  # type: ignore[import-untyped]  # the SDK ships no types

from schemas.vocabulary import Channel
from services.notify.outbound import callback_token
from services.notify.outbound.callback_token import Subject
from services.notify.outbound.twilio_http import Forbidden, NoAnswer, NotConnected, last_headers
from services.notify.outbound.twiml import call_script

MAX_VALIDITY_S = 36_000
RING_S = 30
# A coordinator's phone gets hundreds of texts in the hour of a great rise; ours may be below all of them.
_LISTED_MOST = 1_000
_A_PAGE = 100
_ORDER_DIFFERS = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Order:
    """One message as it leaves us.

    Attributes:
        subject: Goes out in the callback URL, so that whatever the carrier says names our message.
        to: E.164 number.
        sender: Number or name that it comes from.
        text: The exact bytes that were authorised.
        valid_s: Seconds after which the carrier must not send it any more.
    """

    subject: Subject
    to: str
    sender: str
    text: str
    valid_s: int

    def __repr__(self) -> str:
        """Name the message, never the number or the words."""
        return f"Order({self.subject.message_id}, attempt {self.subject.attempt})"


@dataclass(frozen=True, slots=True)
class Accepted:
    sid: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Definite: nobody was told. ``code`` is the carrier's, ``status`` HTTP's."""

    code: int | None
    status: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Throttled:
    """Not processed. ``retry_after_s`` as the carrier asked, else ``None``."""

    retry_after_s: float | None


@dataclass(frozen=True, slots=True)
class NotSent:
    """There was no connection: nothing left this machine."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Time-out, reset or 5xx after the request left: it may have been sent."""

    reason: str


Outcome = Accepted | Refused | Throttled | NotSent | Unknown


@dataclass(frozen=True, slots=True)
class Listed:
    """A message as the carrier lists it. ``created_at`` by the carrier's clock, whole seconds."""

    sid: str
    status: str
    body: str | None
    created_at: datetime | None
    code: int | None = None
    answered_by: str | None = None


class Carrier(Protocol):
    """The port. Nothing here raises for anything that the carrier or the network does."""

    async def send(self, order: Order) -> Outcome: ...

    async def sent_to(self, channel: Channel, to: str, sender: str, since: datetime) -> list[Listed] | None:
        """Return what went from ``sender`` to ``to`` since then, newest first; ``None``: no answer."""
        ...

    async def look_up(self, channel: Channel, sid: str) -> Listed | None:
        """Return one message as it stands; ``None``: no answer, or not known there."""
        ...


class TwilioCarrier:
    """The port on the carrier's SDK.

    Args:
        account: Account SID.
        token: Auth token; signs our callback tokens too.
        http: Our own HTTP client, with its gate.
        public_url: Where the webhook door is reached from outside.
    """

    def __init__(self, account: str, token: str, http: Any, public_url: str) -> None:
        self._client = Client(account, token, http_client=http)
        self._http = http
        self._token = token
        self._public_url = public_url.rstrip("/")

    async def send(self, order: Order) -> Outcome:
        if order.subject.channel is Channel.VOICE:
            return await _outcome(lambda: self._call(order))
        return await _outcome(lambda: self._text(order))

    async def sent_to(self, channel: Channel, to: str, sender: str, since: datetime) -> list[Listed] | None:
        records = self._client.calls if channel is Channel.VOICE else self._client.messages

        async def newest() -> list[Listed]:
            # Filtered by number only: a text that still waits has no DateSent, and the filter would hide it.
            found = []
            pages = await records.stream_async(to=to, from_=sender, limit=_LISTED_MOST, page_size=_A_PAGE)
            async for record in pages:
                one = _listed(record)
                if one.created_at is not None and one.created_at < since - _ORDER_DIFFERS:
                    break
                found.append(one)
            return found

        listed: list[Listed] | None = await _answer(newest)
        if listed is None:
            return None
        return [each for each in listed if each.created_at is None or each.created_at >= since]

    async def look_up(self, channel: Channel, sid: str) -> Listed | None:
        record = self._client.calls(sid) if channel is Channel.VOICE else self._client.messages(sid)
        found = await _answer(record.fetch_async)
        return None if found is None else _listed(found)

    async def close(self) -> None:
        await self._http.close()

    def _text(self, order: Order) -> Awaitable[Any]:
        sent: Awaitable[Any] = self._client.messages.create_async(
            to=order.to,
            from_=order.sender,
            body=order.text,
            status_callback=self._callback(order.subject, "message-status"),
            validity_period=min(max(order.valid_s, 1), MAX_VALIDITY_S),
        )
        return sent

    def _call(self, order: Order) -> Awaitable[Any]:
        status = self._callback(order.subject, "message-status")
        made: Awaitable[Any] = self._client.calls.create_async(
            to=order.to,
            from_=order.sender,
            twiml=call_script(
                order.text,
                purpose=order.subject.purpose,
                language=order.subject.language,
                answered=self._callback(order.subject, "voice/1"),
                silent=self._callback(order.subject, "voice/silence"),
            ),
            status_callback=status,
            status_callback_event=["initiated", "ringing", "answered", "completed"],
            machine_detection="DetectMessageEnd",
            async_amd="true",  # a person who picks up must not be met by the silence of the detection
            async_amd_status_callback=status,
            timeout=RING_S,
        )
        return made

    def _callback(self, subject: Subject, path: str) -> str:
        token = callback_token.sign(subject, self._token)
        return f"{self._public_url}/twilio/{path}?{callback_token.PARAMETER}={token}{callback_token.REPEAT}"


async def _outcome(send: Callable[[], Awaitable[Any]]) -> Outcome:
    try:
        sid = getattr(await send(), "sid", None)
    except Forbidden as err:
        return Refused(None, reason=str(err))
    except NotConnected as err:
        return NotSent(str(err))
    except NoAnswer as err:
        return Unknown(str(err))
    except TwilioException as err:
        return _refusal(err)
    except (ValueError, KeyError, TypeError, AttributeError) as err:  # a 201 whose body is no answer
        return Unknown(f"unreadable answer: {type(err).__name__}")
    return Accepted(str(sid)) if sid else Unknown("an answer without a sid")


def _refusal(err: Exception) -> Outcome:
    status = _whole(getattr(err, "status", None))
    code = _whole(getattr(err, "code", None))
    if status == 429:
        return Throttled(_retry_after_s())
    if status is None or status >= 500 or status < 400:
        return Unknown(f"HTTP {status}")
    return Refused(None if code == status else code, status, f"HTTP {status}")  # the SDK fills in the status


async def _answer(ask: Callable[[], Awaitable[Any]]) -> Any:
    try:
        return await ask()
    except (NotConnected, NoAnswer, TwilioException, ValueError, KeyError, TypeError, AttributeError):
        return None


def _retry_after_s() -> float | None:
    said = (last_headers.get() or {}).get("Retry-After", "")
    try:
        return min(max(float(said), 0.0), 3_600.0)
    except ValueError:
        return None  # absent, or a date: our own back-off is as good


def _listed(record: Any) -> Listed:
    return Listed(
        sid=str(record.sid),
        status=str(getattr(record, "status", "") or ""),
        body=getattr(record, "body", None),
        created_at=record.date_created,
        code=_whole(getattr(record, "error_code", None)),
        answered_by=getattr(record, "answered_by", None),
    )


def _whole(said: object) -> int | None:
    try:
        return int(str(said))
    except ValueError:
        return None
