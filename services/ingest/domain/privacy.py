"""Take out of people's words what could lead to a person. Pure.

What looks like a telephone number, a paper, a plate, a link or a name is replaced; what speaks of violence
between people is not kept at all. A name list finds most names, not all: that is why nobody shows these
texts to the public, and why danger to life is told on in the town's own words.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

NUMBER: Final = "[número]"
LINK: Final = "[enlace]"
PLATE: Final = "[placa]"
NAME: Final = "[nombre]"

_LINK: Final = re.compile(r"\S+@\S+|@\w{2,}|(?:https?://|www\.)\S+", re.IGNORECASE)
_DIGITS: Final = re.compile(r"\+?\d(?:[\s().-]{0,3}\d){6,}")
_PLATE: Final = re.compile(r"\b[A-Z]{1,3}[\s-]?\d{3}[\s-]?\d{2,3}\b|\b[A-Z]{3}[\s-]?\d{3,4}\b")
_INTRODUCED: Final = re.compile(
    r"\b(se llaman?|me llamo|(?:mi|su) nombre es|de nombre|le dicen|alias)\s+[^\W\d_]+(?:\s+[^\W\d_]+)?",
    re.IGNORECASE,
)
_WORD: Final = re.compile(r"[^\W\d_]+")
_LOOK_BACK: Final = 3


@dataclass(frozen=True, slots=True)
class _Lists:
    given: frozenset[str]
    given_or_word: frozenset[str]
    surnames: frozenset[str]
    places: frozenset[str]
    referral: re.Pattern[str]


def is_referral(text: str) -> bool:
    """Return whether the text speaks of violence or threats between people."""
    return bool(_lists().referral.search(_plain(text)))


def redacted(text: str, places: Iterable[str] = ()) -> str:
    """Return the text without what could lead to a person; names of ``places`` stay."""
    for pattern, instead in ((_LINK, LINK), (_PLATE, PLATE), (_DIGITS, NUMBER)):
        text = pattern.sub(instead, text)
    return _without_names(_INTRODUCED.sub(rf"\1 {NAME}", text), places)


def _without_names(text: str, places: Iterable[str]) -> str:
    words = list(_WORD.finditer(text))
    kept = _place_words(text, words, places)
    out, end, at = [], 0, 0
    while at < len(words):
        length = 0 if at in kept else _name_at(words, at, kept)
        if length:
            out += [text[end : words[at].start()], NAME]
            end = words[at + length - 1].end()
        at += max(1, length)
    out.append(text[end:])
    return "".join(out)


def _name_at(words: list[re.Match[str]], at: int, kept: set[int]) -> int:
    """Return how many words from here on are a person's name."""
    lists, first = _lists(), words[at].group()
    here = _plain(first)
    following = [_plain(word.group()) for word in words[at + 1 : at + 4]]
    is_name = here in lists.given or (
        here in lists.given_or_word | lists.surnames
        and first[0].isupper()
        and bool(following)
        and following[0] in lists.surnames
    )
    if not is_name:
        return 0
    length = 1
    for word in following:
        if at + length in kept or word not in lists.given | lists.surnames:
            break
        length += 1
    return length


def _place_words(text: str, words: list[re.Match[str]], places: Iterable[str]) -> set[int]:
    """Return which words belong to the name of a place."""
    lists, said = _lists(), [_plain(word.group()) for word in words]
    kept: set[int] = set()
    for at, word in enumerate(said):
        if word not in lists.places:
            continue
        for after in range(at + 1, min(at + 1 + _LOOK_BACK, len(words))):
            if not text[words[after - 1].end() : words[after].start()].isspace():
                break
            kept.add(after)
    for place in places:
        name = [_plain(word) for word in _WORD.findall(place)]
        for at in range(len(said) - len(name) + 1):
            if name and said[at : at + len(name)] == name:
                kept |= set(range(at, at + len(name)))
    return kept


def _plain(text: str) -> str:
    parts = unicodedata.normalize("NFD", text.casefold())
    return "".join(sign for sign in parts if not unicodedata.combining(sign))


@cache
def _lists() -> _Lists:
    raw = files("services.ingest").joinpath("texts", "privacy.toml").read_text(encoding="utf-8")
    written: dict[str, Any] = tomllib.loads(raw)  # Any: TOML
    names = {
        key: frozenset(_plain(written[key]).split())
        for key in ("given", "given_or_word", "surnames", "places")
    }
    phrases = "|".join(re.escape(_plain(phrase)) for phrase in written["referral"])
    return _Lists(**names, referral=re.compile(rf"\b(?:{phrases})\b"))
