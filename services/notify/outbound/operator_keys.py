"""Whether a decision was signed by the key of the operator it names."""

from __future__ import annotations

import base64
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from schemas.events.decisions import CoordinatorDecided
from schemas.municipality.folder import Municipality
from schemas.vocabulary import Via
from services.runtime.errors import Forged, Unsigned

# Doors where notify matched the code of a phone; its signature over the record stands for the person.
VOUCHED: Final = frozenset({Via.SMS, Via.CALL})


def check(said: CoordinatorDecided, town: Municipality) -> None:
    """Check that the operator's key signed exactly this decision.

    An operator whom the folder does not know passes: they get a refusal that says so.

    Raises:
        Unsigned: The decision carries no signature of its operator.
        Forged: It does not hold, or the folder has no key of this operator.
    """
    operator = town.operator_of.get(said.operator_id)
    if operator is None:
        return
    if not said.operator_signature:
        raise Unsigned(f"operator {said.operator_id} did not sign decision {said.decision_id}")
    if operator.public_key is None:
        raise Forged(f"operator {said.operator_id} has no public key in the folder")
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(operator.public_key))
        signature = base64.b64decode(said.operator_signature, validate=True)
        key.verify(signature, said.signed_bytes(town.id))
    except (InvalidSignature, ValueError):
        raise Forged(f"the signature of operator {said.operator_id} does not hold") from None
