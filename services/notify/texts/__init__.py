"""The words for people, one catalogue per language."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from services.notify.domain.catalogue import Catalogue

FALLBACK = "es"


@cache
def catalogue(language: str) -> Catalogue:
    """Return the texts of a language; what it lacks, or a language that is unknown, reads in Spanish."""
    base = _read(FALLBACK) or {}
    own = base if language == FALLBACK else _read(language)
    return Catalogue(language if own else FALLBACK, own or base, base)


def _read(language: str) -> dict[str, object] | None:
    file = files(__name__) / f"{language}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
