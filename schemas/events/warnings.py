"""Topic ``warnings``: the warning as an object, from the request for authority to its lift."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from schemas.events.base import Event, Id, Moment, Part, Reason
from schemas.vocabulary import AuthorityKind, Channel, Hazard, Level, Purpose, WarningState


class ZoneText(Part):
    """The exact words for one zone and language. ``segments`` as the carrier will bill them."""

    zone: Id
    language: Annotated[str, Field(max_length=16)]
    text: Annotated[str, Field(min_length=1, max_length=1600)]
    segments: Annotated[int, Field(ge=1)]


class Audience(Part):
    """Who would be told: ``digest`` binds the exact set of subscribers, the counts are for people to read."""

    digest: Id
    phones: Annotated[int, Field(ge=0)]
    inhabitants: Annotated[int | None, Field(ge=0)] = None


class Authority(Part):
    """By what right the words are public: a person, a signed pre-authorisation, or the rule of renewal."""

    kind: AuthorityKind
    operator_id: Id | None = None
    instrument: Annotated[str | None, Field(max_length=200)] = None
    decision_id: Id | None = None
    at: Moment


class Ledger(Part):
    """The metric is time lost: when each step of one warning was reached."""

    observed_at: Moment | None = None
    received_at: Moment | None = None
    classified_at: Moment | None = None
    requested_at: Moment | None = None
    authorised_at: Moment | None = None
    first_accepted_at: Moment | None = None
    delivered_90_at: Moment | None = None


class WarningSnapshot(Event):
    """A warning at one version; immutable.

    ``content_hash`` binds texts, areas, audience and incident version.
    """

    warning_id: Id
    version: Annotated[int, Field(ge=1)]
    incident_id: Id
    incident_version: int
    hazard: Hazard
    level: Level
    state: WarningState
    purpose: Purpose = Purpose.WARNING
    zones: tuple[Id, ...]
    texts: tuple[ZoneText, ...]
    audience: Audience
    content_hash: Id
    verify_code: Annotated[str, Field(max_length=8)]
    valid_until: Moment
    authority: Authority | None = None
    reasons: tuple[Reason, ...] = ()
    ledger: Ledger = Ledger()


class WarningRequested(WarningSnapshot):
    TYPE: ClassVar[str] = "warning.requested"


class WarningAuthorised(WarningSnapshot):
    TYPE: ClassVar[str] = "warning.authorised"


class WarningRenewed(WarningSnapshot):
    TYPE: ClassVar[str] = "warning.renewed"


class WarningCorrected(WarningSnapshot):
    TYPE: ClassVar[str] = "warning.corrected"


class WarningLifted(WarningSnapshot):
    TYPE: ClassVar[str] = "warning.lifted"


def content_hash(
    *,
    incident_id: str,
    incident_version: int,
    zones: Sequence[str],
    texts: Sequence[ZoneText],
    audience_digest: str,
) -> str:
    """Return the SHA-256 that an authorisation binds: change one byte of any part and it is another."""
    digest = hashlib.sha256()
    parts = [
        incident_id,
        str(incident_version),
        audience_digest,
        *sorted(zones),
        *(
            part
            for words in sorted(texts, key=lambda words: (words.zone, words.language))
            for part in (words.zone, words.language, words.text)
        ),
    ]
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return digest.hexdigest()


class AlertDispatched(Event):
    """Notify wrote the messages of one alert: from here they are sent or visibly reported."""

    TYPE: ClassVar[str] = "alert.dispatched"

    alert_id: Id
    incident_id: Id
    incident_version: int
    purpose: Purpose
    channel: Channel
    recipients: Annotated[int, Field(ge=0)]
    warning_id: Id | None = None
    person_id: Id | None = None
    round: int = 0
    reasons: tuple[Reason, ...] = ()
    dispatched_at: Moment


class AlertAcknowledged(Event):
    """A person on duty answered for an incident."""

    TYPE: ClassVar[str] = "alert.acknowledged"

    alert_id: Id
    incident_id: Id
    person_id: Id
    channel: Channel
    acknowledged_at: Moment


class AlertEscalated(Event):
    """Nobody answered in time: the next channel or the next person was tried."""

    TYPE: ClassVar[str] = "alert.escalated"

    alert_id: Id
    incident_id: Id
    step: int
    person_id: Id | None = None
    channel: Channel | None = None
    reasons: tuple[Reason, ...]
    escalated_at: Moment
