"""Texts by name, in the reader's language or else in Spanish."""

from __future__ import annotations

import string

import pytest

from services.notify.texts import catalogue


def test_missing_text_reads_in_spanish() -> None:
    """An English reader on duty gets a Spanish page rather than none."""
    assert catalogue("en").text("page.level") == catalogue("es").text("page.level")
    assert catalogue("en").text("drill.end") == "END OF DRILL"


def test_unknown_language_is_spanish() -> None:
    assert catalogue("kek").language == "es"


def test_unknown_name_is_an_error() -> None:
    with pytest.raises(KeyError):
        catalogue("es").text("warning.flood.nothing")
    assert not catalogue("es").has("nothing.at.all")


@pytest.mark.parametrize("hazard", ["flood", "landslide", "rain", "air"])
@pytest.mark.parametrize("language", ["es", "en"])
def test_every_warning_has_all_its_parts(hazard: str, language: str) -> None:
    texts = catalogue(language)
    for part in ("hazard", "river", "impact", "action", "action_impact", "text"):
        assert texts.has(f"warning.{hazard}.{part}")
    fields = {
        name for _, name, _, _ in string.Formatter().parse(texts.text(f"warning.{hazard}.text")) if name
    }
    assert fields == {"source", "hazard", "zone", "impact", "action", "until", "verify"}
