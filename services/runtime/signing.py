"""Signatures of records that carry authority: Ed25519 over the envelope and the value."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from schemas.envelope import Envelope
from schemas.topics import BY_TYPE
from services.runtime.errors import Forged, Unsigned, WrongSetting

TRUSTED = "trusted.json"


class Signer:
    """Signs for one service with its private key."""

    def __init__(self, pem: bytes, kid: str) -> None:
        key = serialization.load_pem_private_key(pem, password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise WrongSetting(f"key {kid}: is not an Ed25519 private key")
        self._key = key
        self.kid = kid

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    def seal(self, topic: str, envelope: Envelope, value: bytes) -> Envelope:
        """Return the envelope with the signature over topic, attributes, key id and value."""
        named = replace(envelope, kid=self.kid)
        return named.with_signature(self.sign(named.signed_bytes(topic, value)), self.kid)


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """Whose public key it is."""

    service: str
    key: Ed25519PublicKey


class Verifier:
    """Checks that a record was signed by a service that may produce its type."""

    def __init__(self, trusted: dict[str, TrustedKey]) -> None:
        self._trusted = dict(trusted)

    def verify(self, topic: str, envelope: Envelope, value: bytes) -> str:
        """Return the service that signed.

        Raises:
            Unsigned: No signature, or no key id.
            Forged: Unknown key, wrong signature, or a service that does not produce this type here.
        """
        if not envelope.signature or not envelope.kid:
            raise Unsigned
        trusted = self._trusted.get(envelope.kid)
        if trusted is None:
            raise Forged("the key id is not one of ours")
        try:
            signature = base64.b64decode(envelope.signature, validate=True)
            trusted.key.verify(signature, envelope.signed_bytes(topic, value))
        except (InvalidSignature, ValueError):
            raise Forged("the signature does not hold") from None
        _may_produce(trusted.service, topic, envelope.type)
        return trusted.service


def _may_produce(service: str, topic: str, kind: str) -> None:
    stands_on, event_type = BY_TYPE.get(kind, (None, None))
    if stands_on is None or event_type is None:
        return  # A type of a newer release: the reader stops at it, it is no forgery.
    if stands_on.name != topic:
        raise Forged(f"type {kind} does not belong on this topic")
    if service not in event_type.producers:
        raise Forged(f"service {service} does not produce {kind}")


def generate_keys(directory: Path, services: Sequence[str]) -> None:
    """Make the keys that are still missing: ``<service>.pem`` each, and ``trusted.json`` for everybody."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    trusted = {}
    for service in services:
        path = directory / f"{service}.pem"
        if not path.exists():
            _write_private(path, Ed25519PrivateKey.generate())
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        raw = key.public_key().public_bytes_raw()  # type: ignore[union-attr]  # we wrote Ed25519 keys only
        trusted[_kid(service, raw)] = {"service": service, "public_key": base64.b64encode(raw).decode()}
    new = directory / f"{TRUSTED}.{os.getpid()}.new"
    new.write_text(json.dumps(trusted, indent=2) + "\n")
    new.replace(directory / TRUSTED)


def load_signer(directory: Path, service: str) -> Signer:
    """Return the signer of a service from the directory of keys.

    Raises:
        WrongSetting: The key or its entry in ``trusted.json`` is absent.
    """
    path = directory / f"{service}.pem"
    try:
        pem = path.read_bytes()
    except OSError as err:
        raise WrongSetting(f"MUNICIPIO_KEYS_DIR: {path} cannot be read: {err.strerror}") from err
    return Signer(pem, _kid(service, _public_raw(pem, path)))


def load_verifier(directory: Path) -> Verifier:
    """Return the verifier that trusts the services named in ``trusted.json``.

    Raises:
        WrongSetting: The file is absent or not of its form.
    """
    path = directory / TRUSTED
    try:
        said = json.loads(path.read_text())
        keys = {
            kid: TrustedKey(
                entry["service"], Ed25519PublicKey.from_public_bytes(base64.b64decode(entry["public_key"]))
            )
            for kid, entry in said.items()
        }
    except OSError as err:
        raise WrongSetting(f"MUNICIPIO_KEYS_DIR: {path} cannot be read: {err.strerror}") from err
    except (ValueError, KeyError, TypeError, AttributeError) as err:
        raise WrongSetting(f"MUNICIPIO_KEYS_DIR: {path} is not a list of trusted keys") from err
    return Verifier(keys)


def _kid(service: str, public_raw: bytes) -> str:
    return f"{service}-{public_raw[:6].hex()}"


def _public_raw(pem: bytes, path: Path) -> bytes:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as err:
        raise WrongSetting(f"MUNICIPIO_KEYS_DIR: {path} is not a private key") from err
    if not isinstance(key, Ed25519PrivateKey):
        raise WrongSetting(f"MUNICIPIO_KEYS_DIR: {path} is not an Ed25519 private key")
    return key.public_key().public_bytes_raw()


def _write_private(path: Path, key: Ed25519PrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
