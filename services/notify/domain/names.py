"""Ids that derive from what they name, so that doing the same thing again yields the same row. Pure."""

from __future__ import annotations

import hashlib
import hmac
from uuid import UUID, uuid5

_NAMESPACE = UUID("6f0d5a0e-9a57-5d3a-8a3e-3f1f6c2b7d10")

# Letters and digits that nobody confuses when they are read aloud or typed: no 0/O, 1/I, 5/S, 8/B.
_CLEAR = "234679ACDEFGHJKLMNPQRTUVWXYZ"


def derived(*parts: object) -> str:
    """Return the UUIDv5 of the parts, in order."""
    return str(uuid5(_NAMESPACE, "\n".join(str(part) for part in parts)))


def alert_id(municipality: str, incident_id: str, purpose: str, *which: object) -> str:
    return derived("alert", municipality, incident_id, purpose, *which)


def warning_id(municipality: str, incident_id: str, number: int) -> str:
    return derived("warning", municipality, incident_id, number)


def request_id(municipality: str, warning: str, version: int) -> str:
    return derived("request", municipality, warning, version)


def message_id(alert: str, recipient_id: str, channel: str, round_: int) -> str:
    """Return the id of one message; the database builds the same one when it expands a broadcast."""
    return f"{alert}.{recipient_id}.{channel}.{round_}"


def body_id(language: str, voice: bool, text: str) -> str:
    """Return the SHA-256 under which a body is stored: a changed text no longer fits its id."""
    return hashlib.sha256(f"{language}\n{'voice' if voice else 'sms'}\n{text}".encode()).hexdigest()


def four_digits(key: bytes, municipality: str, subject: str, person_id: str, attempt: int = 0) -> str:
    """Return the code of one question to one person; only who holds ``key`` can foresee it.

    Args:
        key: Secret of this installation.
        municipality: The town.
        subject: The request or alert that the code stands for.
        person_id: Who is asked.
        attempt: Raised while the code is already taken by another open question to the same person.
    """
    said = f"{municipality}\n{subject}\n{person_id}\n{attempt}".encode()
    number = int.from_bytes(hmac.new(key, said, hashlib.sha256).digest()[:8], "big")
    return f"{1000 + number % 9000}"


def verify_code(municipality: str, warning: str) -> str:
    """Return the four characters by which anybody can check that a text is ours."""
    number = int.from_bytes(hashlib.sha256(f"verify\n{municipality}\n{warning}".encode()).digest()[:8], "big")
    letters = ""
    for _ in range(4):
        number, rest = divmod(number, len(_CLEAR))
        letters += _CLEAR[rest]
    return letters
