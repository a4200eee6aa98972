"""Topic ``decisions``: what people decided, and what the owner of the verb made of it."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from schemas.events.base import Event, Id, Moment, Reason, in_lines
from schemas.vocabulary import Level, Ruling, Verb, Via

Words = Annotated[str, AfterValidator(in_lines)]


class CoordinatorDecided(Event):
    """A person with authority said what shall be done about an incident.

    Attributes:
        version: The incident's version that the person saw; a newer one refuses the decision where it
            would be material.
        request_id: The request for authority that is answered (approve, reject, pass).
        content_hash: For ``approve``: what the person saw, as the request named it. No yes without it.
        text: For ``correct``: the words to be sent, per zone or ``*``.
        level: For ``raise`` and ``lower``.
        until: For ``renew``: the new end of validity.
        operator_signature: Base64 Ed25519 by the operator's key over ``signed_bytes``; absent when the
            answer came by SMS or call, where notify vouches for the code with its own envelope signature.
    """

    TYPE: ClassVar[str] = "coordinator.decided"

    decision_id: Id
    incident_id: Id
    verb: Verb
    operator_id: Id
    reason: Annotated[str, Field(max_length=500), AfterValidator(in_lines)] = ""
    decided_at: Moment
    via: Via
    version: int | None = None
    request_id: Id | None = None
    content_hash: Id | None = None
    level: Level | None = None
    text: dict[Words, Words] | None = None
    until: Moment | None = None
    operator_signature: str | None = None

    def signed_bytes(self, municipality: str) -> bytes:
        """Return what the operator's key signs: municipality and every field but the signature."""
        unsigned = self.model_copy(update={"operator_signature": None})
        return municipality.encode() + b"\n" + unsigned.json_bytes()


class DecisionRuled(Event):
    """The owner of the verb applied the decision, refused it, or never found what it speaks of."""

    TYPE: ClassVar[str] = "decision.ruled"

    decision_id: Id
    incident_id: Id
    verb: Verb
    ruling: Ruling
    reasons: tuple[Reason, ...]
    ruled_at: Moment
    ruled_by: Id
    incident_version: int | None = None
    operator_id: Id | None = None
