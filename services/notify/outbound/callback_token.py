"""A signed word in every callback URL: which message of which town the carrier is talking about.

The door reads everything it needs from it, so it can answer while database and broker are away. Signed
with a key derived from the carrier's auth token: both are rotated together.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.vocabulary import Channel, Purpose

PARAMETER = "m"
# Asks the carrier to try three times more, whatever went wrong; never part of what is signed.
REPEAT = "#rc=3&rp=all"
_SIGNATURE_BYTES = 16
_MAX_CHARS = 512


@dataclass(frozen=True, slots=True)
class Subject:
    """What a callback is about. ``attempt`` tells a late word on a replaced attempt from a present one."""

    municipality: str
    message_id: str
    attempt: int
    channel: Channel
    purpose: Purpose
    language: str = "es"


class TokenError(ValueError):
    """Not a token of ours."""


def sign(subject: Subject, secret: str) -> str:
    """Return the token, safe in a URL."""
    said = "\n".join(
        (
            subject.municipality,
            subject.message_id,
            str(subject.attempt),
            subject.channel.value,
            subject.purpose.value,
            subject.language,
        )
    ).encode()
    return f"{_encoded(said)}.{_encoded(_mac(said, secret))}"


def read(token: str, secrets: Sequence[str]) -> Subject:
    """Return what a token says, if one of the secrets signed it.

    Raises:
        TokenError: Cut, changed, too long or signed by nobody we know.
    """
    head, dot, tail = token.partition(".")
    if not dot or len(token) > _MAX_CHARS:
        raise TokenError("not of the form of a token")
    try:
        said, signature = _decoded(head), _decoded(tail)
    except (binascii.Error, ValueError) as err:
        raise TokenError("not of the form of a token") from err
    if not any(hmac.compare_digest(signature, _mac(said, secret)) for secret in secrets):
        raise TokenError("signed with another key")
    return _subject(said)


def _subject(said: bytes) -> Subject:
    town, message_id, attempt, channel, purpose, language = said.decode().split("\n")
    return Subject(town, message_id, int(attempt), Channel(channel), Purpose(purpose), language)


def _mac(said: bytes, secret: str) -> bytes:
    key = hmac.new(secret.encode(), b"municipio callback", hashlib.sha256).digest()
    return hmac.new(key, said, hashlib.sha256).digest()[:_SIGNATURE_BYTES]


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    raw = text.encode("ascii", "strict") + b"=" * (-len(text) % 4)
    return base64.b64decode(raw, altchars=b"-_", validate=True)
