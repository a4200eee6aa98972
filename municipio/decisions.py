"""Make a decision in an operator's name: build it, sign it with the operator's key, hand it to notify."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from municipio.client import Client
from municipio.errors import DependencyDown, Refused, WrongUse
from schemas.events.decisions import CoordinatorDecided
from schemas.municipality import Municipality
from schemas.vocabulary import Via

PATH: Final = "/admin/v1/decisions"
RULED_WITHIN_S: Final = 10.0


def read_key(path: Path) -> Ed25519PrivateKey:
    """Return an operator's private key.

    Raises:
        WrongUse: The file cannot be read or is no Ed25519 key.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as err:
        raise WrongUse(f"MUNICIPIO_OPERATOR_KEY_FILE: {path} is not a private key that can be read.") from err
    if not isinstance(key, Ed25519PrivateKey):
        raise WrongUse(f"MUNICIPIO_OPERATOR_KEY_FILE: {path} is not an Ed25519 key.")
    return key


def operator_of(key: Ed25519PrivateKey, town: Municipality) -> str:
    """Return the operator whose public key belongs to this private one.

    Raises:
        Refused: The municipality names no such operator.
    """
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    for operator in town.operators:
        if operator.public_key == public:
            return operator.id
    raise Refused(f"the key belongs to no operator of {town.id}; see its operators.yaml")


def signed(decision: CoordinatorDecided, municipality: str, key: Ed25519PrivateKey) -> CoordinatorDecided:
    """Return the decision with the operator's signature over it."""
    signature = base64.b64encode(key.sign(decision.signed_bytes(municipality))).decode()
    return decision.model_copy(update={"operator_signature": signature})


def decision_of(
    operator_id: str, fields: Mapping[str, Any], decided_at: datetime | str
) -> CoordinatorDecided:
    """Return a new decision by command line. ``decided_at`` is told by the town's clock."""
    return CoordinatorDecided.model_validate(
        {
            "decision_id": str(uuid.uuid4()),
            "operator_id": operator_id,
            "decided_at": decided_at,
            "via": Via.CLI,
            **{name: value for name, value in fields.items() if value is not None},
        }
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for authority that waits for an answer, with everything that a yes would send."""

    request_id: str
    content_hash: str
    purpose: str
    zones: tuple[str, ...]
    texts: tuple[str, ...]
    phones: int | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def asked_in(warning: Mapping[str, Any]) -> Asked | None:
    """Return what a warning, as notify shows it, waits for; ``None`` when nothing."""
    pending = [each for each in warning["requests"] if each["state"] == "pending"]
    if not pending:
        return None
    request = pending[-1]
    says = next(each for each in warning["versions"] if each["version"] == request["version"])
    return Asked(
        request_id=request["request_id"],
        content_hash=request["content_hash"],
        purpose=request["purpose"],
        zones=tuple(says["zones"]),
        texts=tuple(dict.fromkeys(each["text"] for each in says["texts"])),
        phones=says["audience"]["phones"],
    )


def what_is_asked(client: Client, municipality: str, incident_id: str, request_id: str | None) -> Asked:
    """Return the request that a yes about this incident answers; ``request_id`` narrows it to that one.

    Raises:
        Refused: Nothing, or something else, waits for authority there.
    """
    query = {"municipality": municipality, "incident_id": incident_id}
    for head in reversed(client.items("notify", "/admin/v1/warnings", **query)):
        shown = client.get("notify", f"/admin/v1/warnings/{head['warning_id']}", municipality=municipality)
        asked = asked_in(shown)
        if asked is not None and request_id in {None, asked.request_id}:
            return asked
    what = f"request {request_id}" if request_id else "nothing"
    raise Refused(f"incident {incident_id}: {what} waits for authority; see `municipio warnings`")


def town_now(client: Client) -> str:
    """Return what time it is in the town: a replay may have set its clock to another year."""
    return str(client.get("notify", "/admin/v1/quiescence")["now"])


def hand_over(client: Client, municipality: str, decision: CoordinatorDecided) -> dict[str, Any]:
    """Give a signed decision to notify, which publishes it."""
    body = {"municipality": municipality, "decision": decision.model_dump(mode="json", exclude_none=True)}
    return client.post("notify", PATH, body)


def ruling_of(
    client: Client,
    municipality: str,
    decision_id: str,
    within_s: float = RULED_WITHIN_S,
    pause: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Wait for the ruling of the verb's owner and return it.

    Raises:
        DependencyDown: Nobody ruled in time; the decision stays published and may still be ruled.
    """
    until = time.monotonic() + within_s
    while True:
        answer = client.get("notify", f"{PATH}/{decision_id}", municipality=municipality)
        if answer.get("ruling"):
            return answer
        if time.monotonic() > until:
            raise DependencyDown(
                f"decision {decision_id} was published but not ruled within {within_s:.0f} s; "
                "`municipio status` says what is late"
            )
        pause(0.1)
