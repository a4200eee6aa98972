"""One Kafka record as handlers see it, and how it becomes an envelope and an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from schemas.envelope import Envelope, EnvelopeError
from schemas.events.base import Event
from schemas.topics import BY_NAME, Topic
from services.runtime.errors import OursMalformed, Refused

if TYPE_CHECKING:
    from services.runtime.signing import Verifier


@dataclass(frozen=True, slots=True)
class Record:
    """What stands at one offset of one partition. A tombstone reads as an empty value."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int = 0


def envelope_of(record: Record) -> Envelope:
    """Return the record's envelope.

    Raises:
        EnvelopeError: A header is absent, repeated, too long, not UTF-8 or not of its form.
    """
    return Envelope.parse(record.headers)


def open_record(record: Record, verifier: Verifier | None = None) -> tuple[Envelope, Event]:
    """Return what a record says: its envelope and the event of the model that ``topics.py`` names.

    A topic that is signed needs a ``verifier``.

    Raises:
        Refused: It came from outside and cannot be read: a dead letter.
        Unsigned, Forged: It can be read and carries no authority: a dead letter, audited and paged.
        OursMalformed: It stands on a topic that only we write, or its type is newer than this
            release: the consumer stops, nothing is skipped.
    """
    topic = BY_NAME[record.topic]
    try:
        envelope = envelope_of(record)
        event = _event_of(topic, envelope, record.value)
    except EnvelopeError as err:
        raise _unreadable(topic, record, f"envelope.{err.field}", err.reason) from None
    except _Unreadable as err:
        raise _unreadable(topic, record, err.code, err.detail) from None
    if topic.signed:
        if verifier is None:
            raise ValueError(f"topic {topic.name} is signed: open_record needs a verifier")
        verifier.verify(topic.name, envelope, record.value)
    return envelope, event


class _Unreadable(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


def _event_of(topic: Topic, envelope: Envelope, value: bytes) -> Event:
    model = next((kind.model for kind in topic.types if kind.name == envelope.type), None)
    if model is None:
        raise _Unreadable("type.unknown", f"topic {topic.name} has no such type in this release")
    if not value:
        raise _Unreadable("value.empty", "the record has no value")
    try:
        return model.model_validate_json(value)
    except ValidationError as err:
        raise _Unreadable("value.invalid", first_error(err)) from None
    except RecursionError:
        raise _Unreadable("value.invalid", "nested too deep") from None


def first_error(err: ValidationError) -> str:
    """Return where the first error stands and what is wrong, without the value itself."""
    first = err.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(step) for step in first["loc"]) or "value"
    return f"{place}: {first['msg']}"[:300]


def _unreadable(topic: Topic, record: Record, code: str, detail: str) -> Exception:
    if topic.ours:
        return OursMalformed(record.topic, record.partition, record.offset, f"{code}: {detail}")
    return Refused(code, detail)
