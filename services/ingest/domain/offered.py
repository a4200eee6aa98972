"""Read a report as it was sent: what it says, or everything that is wrong with it. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from schemas.events.reports import MAX_ADDRESS, MAX_TEXT
from schemas.vocabulary import ReportChannel
from services.ingest.domain.normalise import Fault, moment_of
from services.ingest.domain.privacy import is_referral, redacted
from services.ingest.domain.zones import Zones

AHEAD_MOST: Final = timedelta(minutes=2)
OLD_MOST: Final = timedelta(days=7)
PUBLIC_CHANNELS: Final = frozenset({ReportChannel.WEB, ReportChannel.APP})
_CATEGORY: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,31}")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def _written(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as err:
        raise ValueError("holds half a character (a lone surrogate)") from err
    return " ".join(_CONTROL.sub(" ", text).split())


def _category(text: str) -> str:
    if not _CATEGORY.fullmatch(text):
        raise ValueError("is a word of letters, digits and hyphens, at most 32")
    return text.upper()


def _when(raw: object) -> datetime:
    try:
        return moment_of(raw)
    except TypeError as err:
        raise ValueError(str(err)) from err


def _channel(text: str) -> ReportChannel:
    known = [word.value for word in ReportChannel if word is not ReportChannel.UNKNOWN]
    if text not in known:
        raise ValueError(f"is not one of {', '.join(known)}")
    return ReportChannel(text)


Text = Annotated[str, AfterValidator(_written)]
Degrees = Annotated[float, Field(strict=True)]


class Sent(BaseModel):
    """The body of ``POST /v1/reports``.

    Attributes:
        municipality: Needed without a key; with one it may only repeat the key's own.
        contact: Read and forgotten: whoever must be called back calls 911.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    municipality: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    event_id: Annotated[str, Field(pattern=r"^[\x21-\x7e]{8,128}$")] | None = None
    category: Annotated[str, AfterValidator(_category)]
    text: Annotated[Text, Field(max_length=MAX_TEXT)] | None = None
    zone: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    lat: Annotated[Degrees, Field(ge=-90, le=90)] | None = None
    lon: Annotated[Degrees, Field(ge=-180, le=180)] | None = None
    address: Annotated[Text, Field(max_length=MAX_ADDRESS)] | None = None
    reported_at: Annotated[datetime, BeforeValidator(_when)]
    channel: Annotated[str, AfterValidator(_channel)]
    contact: Annotated[str, Field(max_length=200)] | None = None


@dataclass(frozen=True, slots=True)
class Offered:
    """A report without anything personal, ready to be kept."""

    category: str
    text: str | None
    withheld: bool
    zone: str | None
    lat: float | None
    lon: float | None
    address: str | None
    reported_at: datetime
    channel: ReportChannel

    @property
    def fingerprint(self) -> str:
        """Return what tells another report under the same key from the same one sent again."""
        said = [
            self.category,
            self.text,
            self.withheld,
            self.zone,
            self.lat,
            self.lon,
            self.address,
            self.reported_at.astimezone(UTC).isoformat(),
            self.channel.value,
        ]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def read(document: object) -> Sent | list[Fault]:
    """Return what was sent, or each field that is wrong and why."""
    if not isinstance(document, dict):
        return [Fault("", "is not a JSON object")]
    try:
        return Sent.model_validate(document)
    except ValidationError as err:
        found = err.errors(include_url=False, include_context=False, include_input=False)
        return [Fault("/".join(map(str, each["loc"])), _why(each)) for each in found[:100]]


def offered(sent: Sent, zones: Zones, now: datetime, *, is_public: bool) -> Offered | list[Fault]:
    """Return the report without what is personal, or each field that makes no sense and why."""
    faults = [*_where_faults(sent, zones), *_when_faults(sent, now)]
    channel = ReportChannel(sent.channel)
    if is_public and channel not in PUBLIC_CHANNELS:
        faults.append(Fault("channel", f"{channel.value} needs a key with the reports scope"))
    if faults:
        return faults
    withheld = is_referral(sent.text or "")
    names = tuple(zones.zone_of)
    return Offered(
        category=sent.category,
        text=redacted(sent.text, names)[:MAX_TEXT] if sent.text and not withheld else None,
        withheld=withheld,
        zone=zones.find(sent.zone) if sent.zone and not withheld else None,
        lat=_rounded(sent.lat) if not withheld else None,
        lon=_rounded(sent.lon) if not withheld else None,
        address=redacted(sent.address, names)[:MAX_ADDRESS] if sent.address and not withheld else None,
        reported_at=sent.reported_at,
        channel=channel,
    )


def _where_faults(sent: Sent, zones: Zones) -> list[Fault]:
    if (sent.lat is None) != (sent.lon is None):
        missing = "lat" if sent.lat is None else "lon"
        return [Fault(missing, "is required where the other one is given")]
    if sent.zone is None and sent.lat is None and not sent.address:
        return [Fault("zone", "say where: zone, or lat and lon, or address")]
    if sent.zone is not None and zones.find(sent.zone) is None:
        return [Fault("zone", "is not a zone of this municipality")]
    return []


def _when_faults(sent: Sent, now: datetime) -> list[Fault]:
    if sent.reported_at > now + AHEAD_MOST:
        return [Fault("reported_at", "lies in the future")]
    if sent.reported_at < now - OLD_MOST:
        return [Fault("reported_at", "is older than 7 days")]
    return []


def _rounded(degrees: float | None) -> float | None:
    return None if degrees is None else round(degrees, 4)


def _why(error: Any) -> str:  # Any: a row of pydantic's errors
    return {
        "missing": "is required",
        "extra_forbidden": "is not a field of a report",
        "string_pattern_mismatch": "is 8 to 128 visible ASCII signs",
    }.get(error["type"], str(error["msg"]).removeprefix("Value error, "))
