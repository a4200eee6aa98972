"""Reasons: every code has a text, and numbers and times are written as people here write them."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from services.triage.domain import reasons

DOMAIN = Path(reasons.__file__).parent
CODE = re.compile(r'"((?:level|late|reading|silence|incident|report|decision)\.[a-z_]+)"')


def codes_used() -> set[str]:
    found: set[str] = set()
    for path in [*DOMAIN.glob("*.py"), *DOMAIN.parent.glob("flows/*.py")]:
        found |= set(
            re.findall(
                r'"((?:level|late|reading|silence|incident|report|decision)\.[a-z_]+)"', path.read_text()
            )
        )
    return found


def test_every_code_has_a_text_and_every_text_is_used() -> None:
    written = {code for code in reasons._texts() if not code.startswith("words.")}
    assert written == codes_used()


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(3.0, "m", "3,00 m"), (2282.9, "m3/s", "2283 m3/s"), (-0.5, None, "-0,50")],
)
def test_amounts_use_the_comma(value: float, unit: str | None, text: str) -> None:
    assert reasons.amount(value, unit) == text


@pytest.mark.parametrize(("minutes", "text"), [(90, "90 min"), (120, "2 h"), (0.5, "30 s"), (150, "150 min")])
def test_spans_are_short(minutes: float, text: str) -> None:
    assert reasons.span(timedelta(minutes=minutes)) == text
