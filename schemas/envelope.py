"""CloudEvents 1.0 in Kafka binary mode: attributes are ``ce_*`` headers, the value is plain JSON."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

SPECVERSION = "1.0"
CONTENT_TYPE = "application/json"
EVERY_MUNICIPALITY = "*"
MAX_ATTRIBUTE_CHARS = 512

_TIME = re.compile(r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_REQUIRED = ("id", "source", "type", "municipality")


class EnvelopeError(ValueError):
    """A record's headers are not a CloudEvents envelope of ours.

    Attributes:
        field: The attribute that is wrong.
        reason: What is wrong with it, without its value.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who says what happened, when, about which municipality, because of what.

    ``municipality`` is ``*`` only for events about every town (``clock.ticked``). ``exercise_id`` is
    set on everything that belongs to a drill and never changes on the way.
    """

    id: str
    source: str
    type: str
    time: datetime
    municipality: str
    subject: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    exercise_id: str | None = None
    signature: str | None = None
    kid: str | None = None

    def headers(self) -> list[tuple[str, bytes]]:
        """Return the Kafka headers of binary mode, in a fixed order."""
        pairs: list[tuple[str, str | None]] = [
            ("ce_specversion", SPECVERSION),
            ("ce_id", self.id),
            ("ce_source", self.source),
            ("ce_type", self.type),
            ("ce_time", self.time.isoformat()),
            ("ce_municipality", self.municipality),
            ("ce_subject", self.subject),
            ("ce_correlationid", self.correlation_id),
            ("ce_causationid", self.causation_id),
            ("ce_exerciseid", self.exercise_id),
            ("ce_signature", self.signature),
            ("ce_kid", self.kid),
            ("content-type", CONTENT_TYPE),
        ]
        return [(name, text.encode()) for name, text in pairs if text is not None]

    def signed_bytes(self, topic: str, value: bytes) -> bytes:
        """Return what a signature covers: topic, every attribute but the signature, and the value."""
        unsigned = replace(self, signature=None)
        lines = [topic.encode(), *(name.encode() + b"=" + text for name, text in unsigned.headers())]
        return b"\n".join(lines) + b"\n\n" + value

    def with_signature(self, signature: bytes, kid: str) -> Envelope:
        return replace(self, signature=base64.b64encode(signature).decode(), kid=kid)

    @staticmethod
    def parse(headers: Mapping[str, bytes] | Iterable[tuple[str, bytes]]) -> Envelope:
        """Read an envelope from Kafka headers.

        Raises:
            EnvelopeError: An attribute is absent, repeated, too long, not UTF-8 or not of its form.
        """
        pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
        read: dict[str, str] = {}
        for name, raw in pairs:
            if not name.startswith("ce_"):
                continue
            attribute = name[3:]
            if attribute in read:
                raise EnvelopeError(attribute, "stands twice in the headers")
            read[attribute] = _text(attribute, raw)
        if read.get("specversion") != SPECVERSION:
            raise EnvelopeError("specversion", "is absent or not 1.0")
        for attribute in _REQUIRED:
            if not read.get(attribute):
                raise EnvelopeError(attribute, "is required and not empty")
        return Envelope(
            id=read["id"],
            source=read["source"],
            type=read["type"],
            time=_time(read.get("time")),
            municipality=read["municipality"],
            subject=read.get("subject"),
            correlation_id=read.get("correlationid"),
            causation_id=read.get("causationid"),
            exercise_id=read.get("exerciseid"),
            signature=read.get("signature"),
            kid=read.get("kid"),
        )


def _text(attribute: str, raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError as err:
        raise EnvelopeError(attribute, "is not UTF-8") from err
    if len(text) > MAX_ATTRIBUTE_CHARS:
        raise EnvelopeError(attribute, f"is longer than {MAX_ATTRIBUTE_CHARS} characters")
    if _CONTROL.search(text):
        raise EnvelopeError(attribute, "contains a control character")  # CloudEvents 1.0, type system.
    return text


def _time(text: str | None) -> datetime:
    if text is None:
        raise EnvelopeError("time", "is required and not empty")
    if not _TIME.match(text):
        raise EnvelopeError("time", "is not RFC 3339 with seconds and an offset")
    try:
        return datetime.fromisoformat(text.upper().replace("Z", "+00:00")).astimezone(UTC)
    except ValueError as err:
        raise EnvelopeError("time", "is not a date that exists") from err
