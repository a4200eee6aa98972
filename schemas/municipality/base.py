"""What every file of a municipality's folder has in common: strict, frozen, nothing unknown."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from schemas.vocabulary import Channel, Hazard, IncidentKind, Property, TaskKind, Word

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
Line = Annotated[str, Field(min_length=1, max_length=200)]
Phone = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]

W = TypeVar("W", bound=Word)


class Written(BaseModel):
    """A piece of a file that people write: a field it does not know is an error, not a guess."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, str_strip_whitespace=True)


# Words of events that nobody writes into a folder: a link is only answered, REPLIEGUE is a decision.
_NEVER_WRITTEN: frozenset[Word] = frozenset({Channel.LINK, TaskKind.WITHDRAW})


def _known(word: W) -> W:
    if word.name == "UNKNOWN" or word in _NEVER_WRITTEN:
        others = (other for other in type(word) if other.name != "UNKNOWN" and other not in _NEVER_WRITTEN)
        words = ", ".join(other.value for other in others)
        raise ValueError(f"is not a word of this list; expected one of: {words}")
    return word


KnownHazard = Annotated[Hazard, AfterValidator(_known)]
KnownProperty = Annotated[Property, AfterValidator(_known)]
KnownChannel = Annotated[Channel, AfterValidator(_known)]
KnownIncidentKind = Annotated[IncidentKind, AfterValidator(_known)]
KnownTaskKind = Annotated[TaskKind, AfterValidator(_known)]
