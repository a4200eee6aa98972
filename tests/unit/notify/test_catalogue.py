"""Texts by name, in the reader's language or else in Spanish."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from importlib.resources import files

import pytest

from services.notify import texts
from services.notify.domain import crew_words
from services.notify.domain.catalogue import Catalogue
from services.notify.domain.render import finished
from services.notify.domain.replies import WORDS
from services.notify.domain.segments import is_gsm7
from services.notify.texts import catalogue

LANGUAGES = sorted(
    path.name.removesuffix(".toml") for path in files(texts).iterdir() if path.name.endswith(".toml")
)


def leaves(node: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Return every text of a catalogue by its dotted name; lists of words are not texts."""
    if isinstance(node, str):
        yield name, node
    elif isinstance(node, dict):
        for key, below in node.items():
            yield from leaves(below, f"{name}.{key}".strip("."))


def of(language: str) -> dict[str, str]:
    return dict(leaves(catalogue(language).texts))


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_missing_text_reads_in_spanish() -> None:
    """A reader of a language that lacks a text gets a Spanish page rather than none."""
    half = Catalogue("en", {"drill": {"end": "END OF DRILL"}}, catalogue("es").texts)
    assert half.text("page.level") == catalogue("es").text("page.level")
    assert half.text("drill.end") == "END OF DRILL"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_catalogue_has_the_same_texts_with_the_same_fields(language: str) -> None:
    """A text that one language lacks, or that leaves a field out, is one that somebody reads wrongly."""
    spanish = {name: fields(text) for name, text in of("es").items()}
    assert spanish == {name: fields(text) for name, text in of(language).items()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_list_of_words_is_there_in_every_language(language: str) -> None:
    """What is asked of a text by its words can be asked in each language."""
    lists = {"day.names", "lint.actions", "lint.impacts", "lint.time"}
    lists |= {f"lint.hazards.{hazard}" for hazard in ("flood", "landslide", "rain", "air", "earthquake")}
    assert set() == {name for name in lists if not catalogue(language).words(name)}
    assert 7 == len(catalogue(language).words("day.names"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_leaves_in_the_letters_of_one_segment(language: str) -> None:
    """One letter outside the alphabet of SMS triples what a text costs and delays the next one."""
    spoken = {name for name in of(language) if name.rpartition(".")[2] in {"voice", "spoken"}}
    sent = {name: text for name, text in of(language).items() if name not in spoken}
    own = catalogue(language)
    assert {} == {name: text for name, text in sent.items() if not is_gsm7(finished(text, None, own))}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_answer_that_a_text_asks_for_is_one_we_read(language: str) -> None:
    """An invented word beside a code would be an answer that nobody understands."""
    asked = {
        name: word
        for name, text in of(language).items()
        for word in re.findall(r"\b([A-Z]{2,}(?: [A-Z]{2,})?) \{code\}", text)
        if not (WORDS.get(word.split()[-1]) or crew_words.read(f"{word} 4712"))
    }
    assert {} == asked


def test_unknown_language_is_spanish() -> None:
    assert catalogue("kek").language == "es"


def test_unknown_name_is_an_error() -> None:
    with pytest.raises(KeyError):
        catalogue("es").text("warning.flood.nothing")
    assert not catalogue("es").has("nothing.at.all")


@pytest.mark.parametrize("hazard", ["flood", "landslide", "rain", "air"])
@pytest.mark.parametrize("language", ["es", "en"])
def test_every_warning_has_all_its_parts(hazard: str, language: str) -> None:
    own = catalogue(language)
    for part in ("hazard", "river", "impact", "action", "action_impact", "text"):
        assert own.has(f"warning.{hazard}.{part}")
    wanted = {"source", "hazard", "zone", "impact", "action", "until", "verify"}
    assert wanted == fields(own.text(f"warning.{hazard}.text"))
