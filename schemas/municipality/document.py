"""A file that was read, and the line on which each of its parts stands."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from schemas.municipality.base import SLUG
from schemas.municipality.errors import FolderError

Loc = tuple[str | int, ...]
T_co = TypeVar("T_co", covariant=True)
M = TypeVar("M", bound=BaseModel)

MAX_VALUE_CHARS = 60
_NOT_FOUND = object()

_ALONE: Final = {"missing": "is required", "json_invalid": "holds a character that no text can hold"}
_REASONS: Final = {
    "string_type": "must be text: put it in quotes",
    "float_type": "must be a number, with a point for the decimals",
    "float_parsing": "must be a number, with a point for the decimals",
    "finite_number": "must be a finite number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "tuple_type": "must be a list",
    "dict_type": "must be fields, each with its value",
    "model_type": "must be fields, each with its value",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be greater than or equal to {ge}",
    "less_than_equal": "must be less than or equal to {le}",
    "too_short": "must have at least {min_length} of them",
    "too_long": "must have at most {max_length} of them",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
}
_FORMS: Final = {
    SLUG: "must be small letters a to z, digits, - _ or ., at most 64, a letter or a digit first",
}


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

    @cached_property
    def _spoiled(self) -> frozenset[str]:
        return frozenset(fault.field for fault in self.faults)

    def is_spoiled(self, loc: Loc) -> bool:
        """Say whether the form of a part is among ``faults`` already, so that it reads as nothing."""
        return bool(self.faults) and pointer(loc) in self._spoiled

    def fault(self, loc: Loc, reason: str) -> FolderError:
        column = loc[1:] if self.flat and len(loc) > 1 else loc
        return FolderError(self.file, self.line(loc), pointer(column), reason)

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
class Placed(Generic[T_co]):
    """A part that was understood, and where it stands."""

    document: Document
    loc: Loc
    value: T_co

    def fault(self, where: Loc, reason: str) -> FolderError:
        return self.document.fault((*self.loc, *where), reason)

    def warning(self, where: Loc, reason: str) -> FolderError:
        return replace(self.fault(where, reason), is_warning=True)


def pointer(loc: Loc) -> str:
    """Return ``("rules", 2, "levels")`` as ``rules[2].levels``."""
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{cut(step)}" for step in loc)
    return steps.lstrip(".") or "file"


def place(model: type[M], document: Document, loc: Loc, errors: list[FolderError]) -> Placed[M] | None:
    """Understand the part at ``loc`` as ``model``; what is wrong with it goes to ``errors``.

    Cells of a table are text and are read as what they should be. Elsewhere a value is what it is written
    as: ``true`` is no 1, and ``"2"`` no 2.
    """
    part = document.at(loc)
    try:
        if document.flat:
            return Placed(document, loc, model.model_validate(part))
        return Placed(document, loc, model.model_validate_json(json.dumps(part), strict=True))
    except ValidationError as err:
        details = err.errors(include_url=False)
        inner = {detail["loc"][:end] for detail in details for end in range(len(detail["loc"]))}
        for detail in details:
            if detail["type"] == "too_short" and detail["loc"] in inner:
                continue  # The list is short because of its faulty items, which are named.
            if detail["input"] is None and document.is_spoiled((*loc, *detail["loc"])):
                continue
            errors.append(document.fault((*loc, *detail["loc"]), reason_of(detail, model)))
    except OverflowError:
        errors.append(document.fault(loc, "holds a number that is too large"))
    except RecursionError:
        errors.append(document.fault(loc, "is nested too deeply"))
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
    kind, given, facts = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "json_invalid" and "recursion" in detail["msg"]:
        return "is nested too deeply"
    if kind in _ALONE:
        return _ALONE[kind]
    if kind == "extra_forbidden":
        return "is not a field of this file" + _meant(str(detail["loc"][-1]), model)
    if given is None:
        return "has no value"
    if kind == "value_error":
        reason = detail["msg"].removeprefix("Value error, ")
    elif kind == "string_pattern_mismatch":
        reason = _FORMS.get(facts["pattern"], f"does not have the form {facts['pattern']}")
    elif kind in _REASONS:
        reason = _REASONS[kind].format(**facts)
    else:
        reason = detail["msg"][0].lower() + detail["msg"][1:]
    return f"{reason} (found {shown(given)})"


def shown(value: object) -> str:
    """Return a value as it stands in a sentence: never a whole file of it."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return cut(repr(value))


def cut(text: str) -> str:
    return text if len(text) <= MAX_VALUE_CHARS else text[: MAX_VALUE_CHARS - 1] + "…"


def _meant(name: str, model: type[BaseModel]) -> str:
    close = difflib.get_close_matches(name, model.model_fields, n=1)
    return f"; did you mean {close[0]}?" if close else ""
