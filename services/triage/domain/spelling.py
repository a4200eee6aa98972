"""Read Spanish as people write it in haste: by sound, with one wrong letter in long words. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

STOP: Final = "|"
"""Stands between clauses: what is denied before it is not denied behind it."""

_WORDS: Final = re.compile(r"[a-z0-9]+|[^\sa-z0-9]+")
_JOINING: Final = frozenset({"y", "pero", "porque", "aunque", "e"})
_SOUNDS: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"ch", "*"),
        (r"h", ""),
        (r"\*", "ch"),
        (r"ll", "y"),
        (r"qu(?=[ei])", "k"),
        (r"gu(?=[ei])", "g"),
        (r"g(?=[ei])", "j"),
        (r"c(?=[ei])", "s"),
        (r"c(?!h)", "k"),
        (r"v", "b"),
        (r"[zx]", "s"),
        (r"(.)\1+", r"\1"),
    )
)
_FUZZY_FROM: Final = 6


def plain(text: str) -> str:
    """Return the text in small letters without accents."""
    parts = unicodedata.normalize("NFD", text.casefold())
    return "".join(sign for sign in parts if not unicodedata.combining(sign))


def sound(word: str) -> str:
    """Return a word as it sounds: ``«havía» -> «abia»``."""
    said = plain(word)
    for pattern, letter in _SOUNDS:
        said = pattern.sub(letter, said)
    return said


def tokens(text: str) -> list[str]:
    """Return the words of a text by sound, with ``STOP`` where a clause ends."""
    found: list[str] = []
    for word in _WORDS.findall(plain(text)):
        is_word = word[0].isalnum() and word not in _JOINING
        found.append(sound(word) if is_word else STOP)
    return found


class Stem:
    """A word or several to look for; ``raiz*`` stands for all that begins so."""

    def __init__(self, written: str) -> None:
        words = written.split()
        self._parts = [(sound(word.rstrip("*")), word.endswith("*")) for word in words]

    def length_at(self, words: Sequence[str], place: int) -> int:
        """Return how many tokens match from ``place`` on: all of the stem's, or none."""
        here = words[place : place + len(self._parts)]
        if len(here) < len(self._parts):
            return 0
        same = all(_is_same(word, *part) for word, part in zip(here, self._parts, strict=True))
        return len(self._parts) if same else 0


def _is_same(word: str, wanted: str, is_root: bool) -> bool:
    if word == wanted or (is_root and word.startswith(wanted)):
        return True
    if len(wanted) < _FUZZY_FROM or word[:1] != wanted[:1]:
        return False
    lengths = range(len(wanted) - 1, len(wanted) + 2) if is_root else (len(word),)
    return any(_within_one(word[:length], wanted) for length in lengths)


def _within_one(one: str, other: str) -> bool:
    """Return whether one letter more, less, wrong or swapped with its neighbour makes them equal."""
    if abs(len(one) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    left, right = one[start:], other[start:]
    return (
        left[1:] == right[1:]
        or left[1:] == right
        or left == right[1:]
        or (left[:2] == right[1::-1] and left[2:] == right[2:])
    )
