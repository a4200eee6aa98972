"""What a request must look like. Stricter than the published document: a typing error is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.support.fake_twilio.errors import Refused

Form = Mapping[str, Sequence[str]]

E164 = re.compile(r"\+[1-9]\d{7,14}")
SENDER_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")
SHORT_CODE = re.compile(r"\d{3,6}")
SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")
CONTENT = re.compile(r"HX[0-9a-fA-F]{32}")
MAX_BODY = 1600
MAX_TWIML = 4000
MAX_VALIDITY_S = 36_000
MAX_TIMEOUT_S = 600

_MESSAGE_FIELDS = """
    To From MessagingServiceSid Body ContentSid ContentVariables StatusCallback ValidityPeriod SmartEncoded
    RiskCheck ProvideFeedback ForceDelivery MaxPrice ContentRetention AddressRetention ShortenUrls
"""
_CALL_FIELDS = """
    To From Url Twiml Method FallbackUrl FallbackMethod StatusCallback StatusCallbackEvent
    StatusCallbackMethod Timeout TimeLimit MachineDetection MachineDetectionTimeout AsyncAmd
    AsyncAmdStatusCallback AsyncAmdStatusCallbackMethod CallReason
"""
_EVENTS = frozenset({"initiated", "ringing", "answered", "completed"})


@dataclass(frozen=True, slots=True)
class MessageOrder:
    to: str
    sender: str | None
    service: str | None
    body: str
    status_callback: str | None
    validity_s: int


@dataclass(frozen=True, slots=True)
class CallOrder:
    to: str
    sender: str
    url: str | None
    twiml: str | None
    status_callback: str | None
    events: frozenset[str]
    timeout_s: int
    machine_detection: str | None
    async_amd_callback: str | None


def message_order(form: Form) -> MessageOrder:
    """Read a request to send a text.

    Raises:
        Refused: The first thing that is wrong with it.
    """
    _known(form, _MESSAGE_FIELDS)
    body, content = _one(form, "Body"), _one(form, "ContentSid")
    if not body and not content:
        raise Refused(21602, "Message body is required.")
    if body and content:
        raise Refused(20001, "Give Body or ContentSid, not both.")
    if content and not CONTENT.fullmatch(content):
        raise Refused(20001, "ContentSid must be HX and 32 hexadecimal digits.")
    if body and len(body) > MAX_BODY:
        raise Refused(21617, f"The concatenated message body exceeds the {MAX_BODY} character limit.")
    sender, service = _sender(form)
    return MessageOrder(
        to=_to(form, 21604),
        sender=sender,
        service=service,
        body=body or f"[{content}]",
        status_callback=_url(form, "StatusCallback", 21609),
        validity_s=_number(form, "ValidityPeriod", 1, MAX_VALIDITY_S, MAX_VALIDITY_S),
    )


def call_order(form: Form) -> CallOrder:
    """Read a request to ring somebody.

    Raises:
        Refused: The first thing that is wrong with it.
    """
    _known(form, _CALL_FIELDS)
    url, twiml = _url(form, "Url", 21205), _one(form, "Twiml")
    if not url and not twiml:
        raise Refused(21205, "Url parameter is required.")
    if twiml and len(twiml) > MAX_TWIML:
        raise Refused(20001, f"Twiml must not exceed {MAX_TWIML} characters.")
    sender = _one(form, "From")
    if not sender:
        raise Refused(21213, "Caller phone number is required.")
    if not E164.fullmatch(sender):
        raise Refused(21212, "The 'From' number is not a valid phone number.")
    for name in ("Method", "StatusCallbackMethod", "AsyncAmdStatusCallbackMethod"):
        _choice(form, name, ("POST",))
    events = frozenset(word for told in form.get("StatusCallbackEvent", ()) for word in told.split())
    if not events <= _EVENTS:
        raise Refused(20001, "StatusCallbackEvent knows initiated, ringing, answered, completed.")
    return CallOrder(
        to=_to(form, 21201),
        sender=sender,
        url=url,
        twiml=None if url else twiml,
        status_callback=_url(form, "StatusCallback", 21609),
        events=events or frozenset({"completed"}),
        timeout_s=_number(form, "Timeout", 1, MAX_TIMEOUT_S, 60),
        machine_detection=_choice(form, "MachineDetection", ("Enable", "DetectMessageEnd")),
        async_amd_callback=(
            _url(form, "AsyncAmdStatusCallback", 21609) if _one(form, "AsyncAmd") == "true" else None
        ),
    )


def _sender(form: Form) -> tuple[str | None, str | None]:
    sender, service = _one(form, "From"), _one(form, "MessagingServiceSid")
    if sender and service:
        raise Refused(20001, "Give From or MessagingServiceSid, not both.")
    if not sender and not service:
        raise Refused(21603, "A 'From' phone number is required.")
    if service and not SERVICE.fullmatch(service):
        raise Refused(21701, "The Messaging Service does not exist.")
    if sender and not any(form_.fullmatch(sender) for form_ in (E164, SENDER_NAME, SHORT_CODE)):
        raise Refused(21212, "The 'From' number is not a valid phone number, short code or sender name.")
    return sender, service


def _to(form: Form, code_if_absent: int) -> str:
    to = _one(form, "To")
    if not to:
        raise Refused(code_if_absent, "A 'To' phone number is required.")
    if not E164.fullmatch(to):
        raise Refused(21211, "The 'To' number is not a valid phone number.")
    return to


def _known(form: Form, fields: str) -> None:
    known = set(fields.split())
    for name, values in form.items():
        if name not in known:
            raise Refused(20001, f"Parameter {name} is not known here.")
        if len(values) > 1 and name != "StatusCallbackEvent":
            raise Refused(20001, f"Parameter {name} stands twice.")


def _one(form: Form, name: str) -> str | None:
    values = form.get(name)
    return values[0] if values else None


def _url(form: Form, name: str, code: int) -> str | None:
    text = _one(form, name)
    if text is None:
        return None
    try:
        parts = urlsplit(text)
    except ValueError as err:
        raise Refused(code, f"The '{name}' URL is not valid.") from err
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise Refused(code, f"The '{name}' URL must be absolute, http or https.")
    return text


def _number(form: Form, name: str, least: int, most: int, default: int) -> int:
    text = _one(form, name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise Refused(20001, f"{name} must be a whole number from {least} to {most}.")
    return int(text)


def _choice(form: Form, name: str, words: tuple[str, ...]) -> str | None:
    text = _one(form, name)
    if text is not None and text not in words:
        raise Refused(20001, f"{name} must be one of {', '.join(words)}.")
    return text
