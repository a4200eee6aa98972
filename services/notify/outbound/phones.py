"""Phone numbers at rest: AES-256-GCM with a nonce per value, and a keyed index for looking one up."""

from __future__ import annotations

import hashlib
import hmac
import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12
_KEY_BYTES = 32
_KEY_ID = b"\x01"  # first byte of every sealed value, so that a key can be rotated


class PhoneCipher:
    """Seals numbers and whatever else may hold one.

    Args:
        key: 32 bytes. The key of the blind index and of codes are derived from it, never equal to it.

    Raises:
        ValueError: The key has another length.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != _KEY_BYTES:
            raise ValueError("the phone key must be 32 bytes")
        self._aead = AESGCM(key)
        self._index_key = _derived(key, b"blind index")
        self.code_key = _derived(key, b"reply codes")

    def seal(self, text: str) -> bytes:
        """Return the sealed text; two calls never give the same bytes."""
        nonce = os.urandom(_NONCE_BYTES)
        return _KEY_ID + nonce + self._aead.encrypt(nonce, text.encode(), _KEY_ID)

    def open(self, sealed: bytes) -> str:
        """Return the text.

        Raises:
            cryptography.exceptions.InvalidTag: Sealed with another key, or changed since.
        """
        nonce, rest = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        return self._aead.decrypt(nonce, rest, sealed[:1]).decode()

    def index(self, number: str) -> str:
        """Return the blind index of an E.164 number, the same each time."""
        return hmac.new(self._index_key, number.strip().encode(), hashlib.sha256).hexdigest()


def _derived(key: bytes, purpose: bytes) -> bytes:
    return hmac.new(key, b"municipio " + purpose, hashlib.sha256).digest()
