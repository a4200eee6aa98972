"""On which line each part of a JSON text stands: in one pass, so that a large file costs little."""

from __future__ import annotations

import json
import re
from typing import Final

from schemas.municipality.document import Loc

_PIECE: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


def lines_of_json(text: str) -> tuple[dict[Loc, int], list[tuple[Loc, int]]]:
    """Return the line of every part of a valid JSON text, and each name that stands again, with its line."""
    places = _Places()
    line, seen = 1, 0
    for found in _PIECE.finditer(text):
        line += text.count("\n", seen, found.start())
        seen = found.start()
        places.take(found[0], line)
    return places.lines, places.twins


class _Places:
    """Where the reading stands: the path to the part that comes next.

    Attributes:
        path: Steps to the present object or list; the last one is the part that comes next.
        is_name: Per object or list around it, whether a name comes next; None in a list.
    """

    def __init__(self) -> None:
        self.lines: dict[Loc, int] = {}
        self.twins: list[tuple[Loc, int]] = []
        self.path: list[str | int] = []
        self.is_name: list[bool | None] = []

    def take(self, piece: str, line: int) -> None:
        if piece in "{[":
            self.lines.setdefault(tuple(self.path), line)
            self.is_name.append(True if piece == "{" else None)
            self.path.append(0)
        elif piece in "}]":
            self.is_name.pop()
            self.path.pop()
        elif piece == ",":
            self._next()
        elif piece == ":":
            self.is_name[-1] = False
        elif self.is_name and self.is_name[-1]:
            self._name(json.loads(piece), line)
        else:
            self.lines.setdefault(tuple(self.path), line)

    def _next(self) -> None:
        last = self.path[-1]
        if self.is_name[-1] is None and isinstance(last, int):
            self.path[-1] = last + 1
        else:
            self.is_name[-1] = True

    def _name(self, name: str, line: int) -> None:
        self.path[-1] = name
        here = tuple(self.path)
        if here in self.lines:
            self.twins.append((here, line))
        self.lines.setdefault(here, line)
