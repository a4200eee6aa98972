"""The town's categories of reports; the table stands in ``texts/categories.toml``. Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

OTHER: Final = "OTRO"


@dataclass(frozen=True, slots=True)
class Category:
    """What a category says by itself.

    Attributes:
        hazard: With which open incident a report belongs together; empty for none.
        is_emergency: It means danger to life even without words.
        is_known: The table has it.
    """

    code: str
    name: str
    hazard: str = ""
    is_emergency: bool = False
    is_known: bool = True


def category_of(code: str) -> Category:
    """Return a category; one that the table does not have falls back, it is never dropped."""
    known = _table().get(code)
    if known is not None:
        return known
    return Category(OTHER, _table()[OTHER].name, is_known=False)


@cache
def _table() -> Mapping[str, Category]:
    raw = files("services.triage").joinpath("texts", "categories.toml").read_text(encoding="utf-8")
    return {
        code: Category(code, row["name"], row.get("hazard", ""), row.get("emergency", False))
        for code, row in tomllib.loads(raw).items()
    }
