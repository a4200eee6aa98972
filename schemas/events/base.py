"""What every event has in common."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def on_one_line(text: str) -> str:
    """Refuse NUL and every other control character: no database holds it, and it breaks a log."""
    if not text.isprintable() and _CONTROL.search(text):
        raise ValueError("must not contain control characters")
    return text


def in_lines(text: str) -> str:
    """Refuse control characters but line breaks and tabs."""
    on_one_line(text.replace("\n", "").replace("\t", ""))
    return text


Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
Id = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(on_one_line)]


class Part(BaseModel):
    """A piece of an event. Frozen; fields of a newer release are ignored when read."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="strings", allow_inf_nan=False)


class Event(Part):
    """The value of one record. ``TYPE`` is its CloudEvents ``type``; a new major gets a new one."""

    TYPE: ClassVar[str]

    def json_bytes(self) -> bytes:
        """Return the JSON bytes that travel as the record's value."""
        return self.model_dump_json(exclude_none=True).encode()


class Reason(Part):
    """Why something was decided, or why not.

    Attributes:
        code: Stable dotted word for machines, ``level.raised``.
        text: The same in plain Spanish, for a coordinator.
    """

    code: Id
    text: Annotated[str, Field(min_length=1, max_length=1000)]
