"""The keys with which sources prove who they are: made, written, hashed, checked. Pure but for chance."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.ingest.domain.sensors import Scope

SIGNATURE_AGE_MOST: Final = timedelta(seconds=120)
_PREFIX: Final = "mk"
_KEY: Final = re.compile(
    r"mk~(?P<town>[a-z0-9_.-]{1,64})~(?P<id>[0-9a-f]{12})~(?P<secret>[\w-]{43})", re.ASCII
)
_KEY_ID: Final = re.compile(r"(?P<town>[a-z0-9_.-]{1,64})~(?P<id>[0-9a-f]{12})", re.ASCII)
_NONCE: Final = re.compile(r"[\w.:+/=-]{8,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class KeyName:
    """Which key is meant, without its secret: ``<municipality>~<key id>`` on the wire."""

    municipality: str
    key_id: str

    def __str__(self) -> str:
        return f"{self.municipality}~{self.key_id}"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored.

    Attributes:
        digest: SHA-256 of the whole key text. It is also the secret of signatures, so that the service
            never holds the key itself.
        may_sign: Only such a key may sign requests; of others a copy of the table opens no door.
    """

    name: KeyName
    digest: bytes
    scope: Scope
    label: str
    may_sign: bool
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def why_not(self, at: datetime) -> str | None:
        """Return why the key opens nothing at that moment; None while it is good."""
        if self.revoked_at is not None:
            return "the key was revoked"
        if self.expires_at is not None and at >= self.expires_at:
            return "the key has expired"
        return None


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What the ``Municipio-Signature`` header says."""

    name: KeyName
    ts: int
    nonce: str
    signature: bytes

    def is_fresh(self, at: datetime) -> bool:
        return abs(at.timestamp() - self.ts) <= SIGNATURE_AGE_MOST.total_seconds()

    def is_by(self, key: ApiKey, body: bytes) -> bool:
        return hmac.compare_digest(sign(key.digest, self.ts, self.nonce, body), self.signature)


def new_key(municipality: str) -> tuple[KeyName, str]:
    """Return a new key's name and its text, which is shown once and never stored."""
    name = KeyName(municipality, secrets.token_hex(6))
    return name, f"{_PREFIX}~{name}~{secrets.token_urlsafe(32)}"


def digest_of(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def name_of(key: str) -> KeyName | None:
    """Return the name inside a key's text, None where the text is no key."""
    match = _KEY.fullmatch(key)
    return KeyName(match["town"], match["id"]) if match else None


def sign(digest: bytes, ts: int, nonce: str, body: bytes) -> bytes:
    """Return HMAC-SHA256 over ``ts.nonce.body`` under the SHA-256 of the key."""
    return hmac.new(digest, f"{ts}.{nonce}.".encode() + body, hashlib.sha256).digest()


def parse_signature(header: str) -> SignedRequest | None:
    """Read ``keyid=…,ts=…,nonce=…,v1=…``; None where it is anything else."""
    parts = [part.strip().partition("=") for part in header.split(",")]
    fields = {name: text for name, _, text in parts}
    match = _KEY_ID.fullmatch(fields.get("keyid", ""))
    nonce = fields.get("nonce", "")
    if match is None or len(fields) != len(parts) or not _NONCE.fullmatch(nonce):
        return None
    if not re.fullmatch(r"\d{1,12}", fields.get("ts", ""), re.ASCII):
        return None
    if not re.fullmatch(r"[0-9a-f]{64}", fields.get("v1", ""), re.ASCII):
        return None
    return SignedRequest(
        KeyName(match["town"], match["id"]), int(fields["ts"]), nonce, bytes.fromhex(fields["v1"])
    )
