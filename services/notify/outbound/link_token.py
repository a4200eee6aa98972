"""The signed word in a link: who may answer which alert by it, and until when.

The door answers from it alone, so a link works while database and broker are away. Signed with a key
derived from the carrier's auth token, as callback URLs are: both are rotated together. It is as strong as
the phone it was sent to, like a code; so a link only says that somebody has read, or passes on. It never
says yes to words for residents, which a page made from the token could not show.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from schemas.vocabulary import Purpose

PATH = "/a/"
_FORM = 1
_HEAD = struct.Struct(">BBI16s")
_PURPOSES = (Purpose.PAGE, Purpose.AUTHORITY)
_SIGNATURE_BYTES = 12
_MOST_CHARS = 400


@dataclass(frozen=True, slots=True)
class Link:
    """One person and one alert; ``purpose`` says what the page asks."""

    municipality: str
    person_id: str
    alert_id: str
    purpose: Purpose
    language: str
    expires_at: datetime


class LinkError(ValueError):
    """Not a link of ours: cut, altered, or signed by nobody we know."""


def may_carry(purpose: Purpose) -> bool:
    """Say whether a message of this purpose can be answered by a link."""
    return purpose in _PURPOSES


def sign(link: Link, secret: str) -> str:
    """Return the token, short and safe in a URL."""
    until = int(link.expires_at.timestamp())
    head = _HEAD.pack(_FORM, _PURPOSES.index(link.purpose), until, UUID(link.alert_id).bytes)
    said = head + "\n".join((link.municipality, link.person_id, link.language)).encode()
    return _spelt(said + _mac(said, secret))


def read(token: str, secrets: Sequence[str]) -> Link:
    """Return what a token says, if one of the secrets signed it; whether it is still good is not asked.

    Raises:
        LinkError: It is none of ours.
    """
    raw = _raw(token)
    said, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
    if not any(hmac.compare_digest(signature, _mac(said, secret)) for secret in secrets):
        raise LinkError("signed with another key")
    form, purpose, until, alert = _HEAD.unpack(said[: _HEAD.size])
    names = said[_HEAD.size :].decode().split("\n")
    if form != _FORM or purpose >= len(_PURPOSES) or len(names) != 3:
        raise LinkError("of another release")
    municipality, person_id, language = names
    ends = datetime.fromtimestamp(until, UTC)
    return Link(municipality, person_id, str(UUID(bytes=alert)), _PURPOSES[purpose], language, ends)


def _raw(token: str) -> bytes:
    if len(token) > _MOST_CHARS or not token.isascii():
        raise LinkError("not of the form of a link")
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as err:
        raise LinkError("not of the form of a link") from err
    # Spare bits of the last letter could be set and mean the same: one link has one spelling.
    if len(raw) <= _HEAD.size + _SIGNATURE_BYTES or _spelt(raw) != token:
        raise LinkError("not of the form of a link")
    return raw


def _spelt(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _mac(said: bytes, secret: str) -> bytes:
    key = hmac.new(secret.encode(), b"municipio link", hashlib.sha256).digest()
    return hmac.new(key, said, hashlib.sha256).digest()[:_SIGNATURE_BYTES]
