"""Make the keys and tokens of one copy at its first start, and find them again.

<data>/keys/                                 0700
├── <service>.pem, trusted.json              what services sign with, and whom they trust
├── operators/<file>.pub                     what operators.yaml names as public_key_file
├── operators/<municipality>/<id>.pem, .pub  the same operator's key pair, for MUNICIPIO_OPERATOR_KEY_FILE
├── admin_token  phone_key  twilio_*  …      secrets of this copy
└── sources/<municipality>.key               API key of the demo source
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from municipio.errors import WrongUse
from municipio.paths import write_private

SIGNING_SERVICES: Final = ("ingest", "triage", "notify")
SERVICES: Final = (*SIGNING_SERVICES, "console")
"""Every service with a database of its own; the console signs nothing."""


def make_keys(keys: Path, municipalities: Path) -> None:
    """Make every key and token that is still missing; what exists stays as it is."""
    from services.runtime.signing import generate_keys

    keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    generate_keys(keys, SIGNING_SERVICES)
    make_operator_keys(keys, municipalities)
    _once(keys / "admin_token", secrets.token_urlsafe(32))
    _once(keys / "phone_key", base64.b64encode(secrets.token_bytes(32)).decode())
    _once(keys / "database_secret", secrets.token_hex(32))
    _once(keys / "twilio_account_sid", "AC" + secrets.token_hex(16))
    _once(keys / "twilio_auth_token", secrets.token_hex(16))


def make_operator_keys(keys: Path, municipalities: Path) -> None:
    """Make a key pair for every operator whose ``operators.yaml`` row names a file instead of a key."""
    for municipality, operator, public_name in _operators(municipalities):
        shared = keys / "operators" / public_name
        if not shared.exists():
            private, public = _key_pair()
            write_private(shared.with_suffix(".pem"), private)
            write_private(shared, public)
        own = keys / "operators" / municipality / f"{operator}.pem"
        _once(own, shared.with_suffix(".pem").read_text())
        _once(own.with_suffix(".pub"), shared.read_text())


def operator_key_file(keys: Path, municipality: str, operator: str) -> Path:
    return keys / "operators" / municipality / f"{operator}.pem"


def source_key_file(keys: Path, municipality: str) -> Path:
    return keys / "sources" / f"{municipality}.key"


def _once(path: Path, text: str) -> None:
    if not path.exists():
        write_private(path, text)


def _key_pair() -> tuple[str, str]:
    """Return a private key as PEM and its public half as base64 of the raw 32 bytes."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode(), base64.b64encode(key.public_key().public_bytes_raw()).decode()


def _operators(municipalities: Path) -> Iterator[tuple[str, str, str]]:
    """Yield municipality, operator id and file name; a folder that is wrong is told by its own check."""
    for file in sorted(municipalities.glob("*/operators.yaml")):
        for row in _rows(file):
            operator, name = row.get("id"), row.get("public_key_file")
            if isinstance(operator, str) and isinstance(name, str) and Path(name).name == name:
                yield file.parent.name, operator, name


def _rows(file: Path) -> list[dict[str, Any]]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        document = YAML(typ="safe").load(file)
    except (YAMLError, OSError, UnicodeDecodeError) as err:
        raise WrongUse(f"{file} cannot be read; see `municipio rulebook check`.") from err
    rows = document.get("operators") if isinstance(document, dict) else None
    return [row for row in rows or [] if isinstance(row, dict)]
