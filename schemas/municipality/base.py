"""What every file of a municipality's folder has in common: strict, frozen, nothing unknown."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Final, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from schemas.events.base import Moment, on_one_line
from schemas.vocabulary import Channel, Hazard, IncidentKind, Level, Property, TaskKind, Word

SLUG: Final = r"^[a-z0-9][a-z0-9_.-]{0,63}$"
Slug = Annotated[str, Field(pattern=SLUG)]
Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(on_one_line)]
Mark = Annotated[str, Field(max_length=64), AfterValidator(on_one_line)]
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


_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(?P<offset>[Zz]|[+-]\d\d:\d\d)?", re.ASCII
)
_SPAN: Final = re.compile(
    r"(?P<sign>-?)P(?=.)(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?=.)(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,6})S)?)?",
    re.ASCII,
)
_YEARS: Final = range(1900, 2201)
_A_TIME: Final = "expected a time such as 2026-05-01T00:00:00-06:00"
_A_SPAN: Final = "expected days, hours, minutes and seconds such as PT90M, PT6H or P1DT12H"


def _moment(given: object) -> object:
    """Read a time as it is written; a number is no time, whatever it counts from."""
    if isinstance(given, datetime):
        return given
    found = _RFC3339.fullmatch(given.strip()) if isinstance(given, str) else None
    if found is None:
        raise ValueError(f"is not a time; {_A_TIME}")
    if found["offset"] is None:
        raise ValueError(f"has no offset; {_A_TIME}")
    try:
        moment = datetime.fromisoformat(found[0].upper())
    except ValueError as err:
        raise ValueError(f"is not a time: {err}; {_A_TIME}") from err
    if moment.year not in _YEARS:
        raise ValueError(f"is not between the years {_YEARS[0]} and {_YEARS[-1]}")
    return moment


def _span(given: object) -> object:
    """Read an ISO 8601 duration without years and months, which have no fixed length."""
    if isinstance(given, timedelta):
        return given
    found = _SPAN.fullmatch(given.strip()) if isinstance(given, str) else None
    if found is None:
        raise ValueError(f"is not a duration; {_A_SPAN}")
    parts = {name: int(count or 0) for name, count in found.groupdict().items() if name != "sign"}
    length = timedelta(**parts)
    return -length if found["sign"] else length


def _above_normal(given: object) -> object:
    """Refuse what only counts as a number: true is 1 to a computer, and no level to a person."""
    if isinstance(given, bool) or not isinstance(given, int) or not Level.WATCH <= given <= Level.IMPACT:
        raise ValueError("is not a level; expected 1, 2, 3 or 4")
    return given


When = Annotated[Moment, BeforeValidator(_moment)]
Span = Annotated[timedelta, BeforeValidator(_span)]
AboveNormal = Annotated[Level, BeforeValidator(_above_normal), Field(ge=1)]
