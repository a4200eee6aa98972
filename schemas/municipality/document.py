"""A file that was read, and the line on which each of its parts stands."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from schemas.municipality.errors import FolderError

Loc = tuple[str | int, ...]
T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

MAX_VALUE_CHARS = 60
_NOT_FOUND = object()


@dataclass(frozen=True)
class Document:
    """Content of a file as plain values.

    Attributes:
        file: As printed in errors.
        find_lines: Line, from 1, of every part; asked only when something is wrong.
        flat: A table: the line names the row, so the field is printed without its place.
        faults: What is wrong with its form though the rest could be read.
    """

    file: str
    content: object
    find_lines: Callable[[], Mapping[Loc, int]] = field(repr=False)
    flat: bool = False
    faults: tuple[FolderError, ...] = ()

    @cached_property
    def lines(self) -> Mapping[Loc, int]:
        return self.find_lines()

    def line(self, loc: Loc) -> int:
        """Return the line of ``loc``, or of the nearest part around it that is there."""
        for end in range(len(loc), -1, -1):
            if loc[:end] in self.lines:
                return self.lines[loc[:end]]
        return 1

    def fault(self, loc: Loc, reason: str) -> FolderError:
        shown = loc[1:] if self.flat and len(loc) > 1 else loc
        return FolderError(self.file, self.line(loc), pointer(shown), reason)

    def at(self, loc: Loc) -> object:
        """Return the part at ``loc``, or a value that is nothing else's."""
        here = self.content
        for step in loc:
            if isinstance(here, Mapping):
                here = here.get(step, _NOT_FOUND)
            elif isinstance(here, list) and isinstance(step, int) and step < len(here):
                here = here[step]
            else:
                return _NOT_FOUND
        return here


@dataclass(frozen=True)
class Placed(Generic[T]):
    """A part that was understood, and where it stands."""

    document: Document
    loc: Loc
    value: T

    def fault(self, where: Loc, reason: str) -> FolderError:
        return self.document.fault((*self.loc, *where), reason)


def pointer(loc: Loc) -> str:
    """Return ``("rules", 2, "levels")`` as ``rules[2].levels``."""
    shown = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc)
    return shown.lstrip(".") or "file"


def place(model: type[M], document: Document, loc: Loc, errors: list[FolderError]) -> Placed[M] | None:
    """Understand the part at ``loc`` as ``model``; what is wrong with it goes to ``errors``."""
    try:
        return Placed(document, loc, model.model_validate(document.at(loc)))
    except ValidationError as err:
        for detail in err.errors(include_url=False):
            errors.append(document.fault((*loc, *detail["loc"]), reason_of(detail, model)))
    except OverflowError:
        errors.append(document.fault(loc, "holds a number that is too large"))
    return None


def place_each(
    model: type[M], document: Document, loc: Loc, errors: list[FolderError], *, most: int
) -> list[Placed[M]]:
    """Understand every item of the list at ``loc``; a bad item does not hide what is wrong with others."""
    items = document.at(loc)
    if not isinstance(items, list):
        errors.append(document.fault(loc, "is required" if items is _NOT_FOUND else "must be a list"))
        return []
    if len(items) > most:
        errors.append(document.fault(loc, f"has {len(items)} items; at most {most} are read"))
        return []
    placed = (place(model, document, (*loc, index), errors) for index in range(len(items)))
    return [item for item in placed if item is not None]


def reason_of(detail: ErrorDetails, model: type[BaseModel]) -> str:
    """Return a validation error as a sentence that says what is wrong and what is expected."""
    kind, message, given = detail["type"], detail["msg"], detail["input"]
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        return "is not a field of this file" + _meant(str(detail["loc"][-1]), model)
    if kind == "value_error":
        return f"{message.removeprefix('Value error, ')} (found {_shown(given)})"
    if kind == "timezone_aware":
        return f"has no offset; expected a time such as 2026-05-01T00:00:00-06:00 (found {_shown(given)})"
    if kind == "string_type" and isinstance(given, int | float):
        return f"must be text: put it in quotes (found {_shown(given)})"
    if kind == "string_pattern_mismatch":
        return f"does not have the form {detail['ctx']['pattern']} (found {_shown(given)})"
    return f"{message[0].lower()}{message[1:]} (found {_shown(given)})"


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= MAX_VALUE_CHARS else text[: MAX_VALUE_CHARS - 1] + "…"


def _meant(name: str, model: type[BaseModel]) -> str:
    close = difflib.get_close_matches(name, model.model_fields, n=1)
    return f"; did you mean {close[0]}?" if close else ""
