"""``coordinator.decided``: by what right? Then apply, refuse or park, and answer ``decision.ruled``."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from schemas.envelope import EVERY_MUNICIPALITY, Envelope
from schemas.events.decisions import CoordinatorDecided, DecisionRuled
from schemas.vocabulary import TRIAGE_VERBS, Via
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.dead_letter import DeadLetters
from services.runtime.errors import Forged, Refused, Unsigned
from services.runtime.records import Record, open_record
from services.runtime.signing import Verifier
from services.triage.flows.stage_two import StageTwo
from services.triage.outbound.decisions import AuditStore
from services.triage.towns import Towns

log = structlog.get_logger()

TYPE: Final = CoordinatorDecided.TYPE
VOUCHED: Final = frozenset({Via.SMS, Via.CALL})
"""Doors where notify checked its own code; its signature over the record stands for the person."""


@dataclass(slots=True)
class OnCoordinatorDecided:
    """Each decision in a transaction of its own."""

    db: Database
    towns: Towns
    stage_two: StageTwo
    verifier: Verifier
    dead_letters: DeadLetters
    audit: AuditStore
    clock: Clock

    async def __call__(self, record: Record) -> None:
        """Take up one record of ``decisions``.

        Raises:
            OursMalformed: It cannot be read.
            Retriable: The database is away; nothing was kept.
        """
        if _says(record, DecisionRuled.TYPE):
            return
        try:
            envelope, event = open_record(record, self.verifier)
            if not isinstance(event, CoordinatorDecided) or event.verb not in TRIAGE_VERBS:
                return
            self._check(envelope, event)
        except Refused as refused:
            await self._refuse(record, refused)
            return
        async with self.db.transaction() as conn:
            await self.stage_two.decide(conn, envelope.municipality, event, record)

    def _check(self, envelope: Envelope, event: CoordinatorDecided) -> None:
        """Check the person's own signature where no code vouches for it.

        Raises:
            Refused: No such town.
            Unsigned, Forged: The operator's signature is absent or does not hold.
        """
        if envelope.municipality not in self.towns:
            raise Refused("municipality.unknown", "no folder of this municipality is known here")
        operator = self.towns.book(envelope.municipality).operators.get(event.operator_id)
        if event.via in VOUCHED or operator is None:
            return  # Who is no operator here gets a refusal that says so.
        if not event.operator_signature:
            raise Unsigned(f"operator {event.operator_id} did not sign decision {event.decision_id}")
        if operator.public_key is None:
            raise Forged(f"operator {event.operator_id} has no public key in the folder")
        try:
            key = Ed25519PublicKey.from_public_bytes(base64.b64decode(operator.public_key))
            signature = base64.b64decode(event.operator_signature, validate=True)
            key.verify(signature, event.signed_bytes(envelope.municipality))
        except (InvalidSignature, ValueError):
            raise Forged(f"the signature of operator {event.operator_id} does not hold") from None

    async def _refuse(self, record: Record, refused: Refused) -> None:
        now = self.clock.now()
        municipality = _municipality_in(record, self.towns)
        async with self.db.transaction() as conn:
            is_new = await self.dead_letters.add_refused(conn, record, refused, now)
            if is_new:
                await self.audit.add(conn, municipality, record, refused, now)
        log.error(
            "triage.authority_refused",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=refused.reason,
        )


def _says(record: Record, kind: str) -> bool:
    return any(name == "ce_type" and raw == kind.encode() for name, raw in record.headers)


def _municipality_in(record: Record, towns: Towns) -> str:
    named = next((raw for name, raw in record.headers if name == "ce_municipality"), b"")
    text = named.decode("utf-8", "replace")
    return text if text in towns else EVERY_MUNICIPALITY
