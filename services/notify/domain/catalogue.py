"""The texts of one language, by dotted name. Pure: the file is read elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Catalogue:
    """Texts by name.

    Attributes:
        language: Whose texts these are.
        texts: As the language's file holds them.
        fallback: Where a name is looked for that the language lacks.
    """

    language: str
    texts: Mapping[str, object]
    fallback: Mapping[str, object]

    def text(self, name: str) -> str:
        """Return the text of ``warning.flood.action``; KeyError when no language has it."""
        found = self._find(name)
        if not isinstance(found, str):
            raise KeyError(name)
        return found

    def words(self, name: str) -> tuple[str, ...]:
        """Return a list of words; empty when no language has it."""
        found = self._find(name)
        return tuple(str(word) for word in found) if isinstance(found, list) else ()

    def has(self, name: str) -> bool:
        return self._find(name) is not None

    def _find(self, name: str) -> object | None:
        own = _walk(self.texts, name)
        return own if own is not None else _walk(self.fallback, name)


def _walk(texts: Mapping[str, object], name: str) -> object | None:
    here: object = texts
    for part in name.split("."):
        if not isinstance(here, Mapping):
            return None
        here = here.get(part)
    return here
