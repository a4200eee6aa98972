"""``municipality.yaml``, ``legal.yaml`` and ``operators.yaml``: who the town is and who may speak for it."""

from __future__ import annotations

import base64
import binascii
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from schemas.municipality.base import AboveNormal, KnownHazard, Language, Line, Phone, Slug, When, Written
from schemas.vocabulary import Level

PUBLIC_KEY_BYTES = 32


def _zone_that_exists(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError) as err:
        raise ValueError("is not a time zone; expected an IANA name such as America/El_Salvador") from err
    return name


def public_key(text: str) -> str:
    """Return the key as given.

    Raises:
        ValueError: It is not the base64 of a raw Ed25519 public key.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as err:
        raise ValueError("is not base64") from err
    if len(raw) != PUBLIC_KEY_BYTES:
        raise ValueError(f"is {len(raw)} bytes; expected the {PUBLIC_KEY_BYTES} raw bytes of an Ed25519 key")
    return text


TimeZone = Annotated[str, AfterValidator(_zone_that_exists)]
PublicKey = Annotated[str, AfterValidator(public_key)]


class Approval(Written):
    """How many people must sign before a text reaches residents."""

    signatures: Annotated[int, Field(ge=1, le=3)] = 1


class Sender(Written):
    """Who the messages come from.

    Attributes:
        name: As it stands at the start of every text to residents; an office, never a person or a party.
        number: The number they are sent from.
    """

    name: Annotated[str, Field(min_length=1, max_length=40)]
    number: Phone


class Town(Written):
    """``municipality.yaml``.

    Attributes:
        level_labels: The town's own words for levels 0 to 4.
        fictional_prefix: Numbers that begin so belong to nobody; outside production no other may stand in
            the folder.
        verify_phrase: Ends every text: where a resident checks that it is true.
    """

    id: Slug
    name: Line
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    time_zone: TimeZone
    languages: Annotated[tuple[Language, ...], Field(min_length=1)]
    level_labels: Annotated[tuple[Line, ...], Field(min_length=5, max_length=5)]
    sender: Sender
    approval: Approval = Approval()
    fictional_prefix: Annotated[str | None, Field(pattern=r"^\+[0-9]{4,12}$")] = None
    verify_phrase: Annotated[str, Field(max_length=60)] = ""

    def label(self, level: Level) -> str:
        return self.level_labels[level]


class SafeRelease(Written):
    """A resolution that lets a warning out when nobody with authority answers.

    Attributes:
        resolution: Its number, ``12-2026``; printed as the authority of what it released.
        min_level: It speaks for this level and above.
        min_sources: Distinct sites that must stand at the level.
        zones: Only these; empty: every zone of the town.
        after_s: Seconds without an answer from the request for authority.
        signed_by: The office that the law names.
    """

    resolution: Line
    hazard: KnownHazard
    min_level: AboveNormal = Level.ACT
    min_sources: Annotated[int, Field(ge=1)] = 2
    zones: tuple[Slug, ...] = ()
    valid_from: When
    valid_to: When
    signed_by: Line
    after_s: Annotated[int, Field(ge=0, le=86_400)] = 180

    def in_force(self, at: datetime) -> bool:
        return self.valid_from <= at < self.valid_to


class Signatory(Written):
    """An operator whom the law lets authorise public words, and the instrument that says so."""

    operator: Slug
    instrument: Line


class Period(Written):
    starts: date
    ends: date


class Legal(Written):
    """``legal.yaml``. ``opt_out_basis``: why a life-safety text may reach who did not subscribe."""

    signatories: tuple[Signatory, ...] = ()
    safe_release: tuple[SafeRelease, ...] = ()
    opt_out_basis: Annotated[str, Field(max_length=500)] = ""
    electoral_periods: tuple[Period, ...] = ()


class Role(StrEnum):
    """What a person may do for the town."""

    COORDINATOR = "coordinator"
    AUTHORISER = "authoriser"
    BRIGADE = "brigade"
    TECHNICIAN = "technician"
    AUDITOR = "auditor"


class Operator(Written):
    """Somebody whose decisions count, by the signature of their key.

    Attributes:
        person_id: Their row of ``directory.csv``.
        public_key: Base64 of the raw Ed25519 key; after loading also what ``public_key_file`` held.
        public_key_file: Name of a file in ``<keys dir>/operators/``, where keys are made at setup.
    """

    id: Slug
    name: Line
    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    person_id: Slug
    public_key: PublicKey | None = None
    public_key_file: Annotated[str | None, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*\.pub$")] = None
    valid_from: When
    valid_to: When | None = None

    def in_office(self, at: datetime) -> bool:
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)


class Operators(Written):
    """``operators.yaml``."""

    operators: Annotated[tuple[Operator, ...], Field(min_length=1)]
