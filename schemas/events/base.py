"""What every event has in common."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, ClassVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
Id = Annotated[str, Field(min_length=1, max_length=128)]


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
