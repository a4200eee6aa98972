"""Hear in what people write whether a life is in danger, and whether they say that none is. Pure.

In doubt it is a danger: a person is called for nothing rather than not called. The words stand in
``texts/dangers.toml``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from services.triage.domain.spelling import STOP, Stem, tokens

WITHIN: Final = 8
Hit = tuple[int, int]
"""First token and the one behind the last."""


@dataclass(frozen=True, slots=True)
class Danger:
    """What a text may speak of.

    Attributes:
        what: In our own words, so that nothing of who wrote it travels on.
        hazard: Empty where the rest of the text must say it.
    """

    code: str
    what: str
    hazard: str
    groups: tuple[str, ...]
    unless: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """The dangers that a text speaks of, most urgent first; ``denied`` are those that it says are not."""

    dangers: tuple[Danger, ...] = ()
    denied: tuple[Danger, ...] = ()
    speaks_of_water: bool = False


@dataclass(frozen=True, slots=True)
class _Lexicon:
    words: Mapping[str, tuple[Stem, ...]]
    dangers: tuple[Danger, ...]
    no: frozenset[str]
    between: frozenset[str]
    after: frozenset[str]
    not_denied: tuple[Stem, ...]


def listen(text: str) -> Heard:
    """Return what a text says of danger to life."""
    known = _lexicon()
    words = _without_false_denials(tokens(text), known)
    found = {name: list(_hits(words, stems)) for name, stems in known.words.items()}
    dangers: list[Danger] = []
    denied: list[Danger] = []
    for danger in known.dangers:
        matches = _matches(danger, found)
        if any(not _is_denied(words, match, found, known) for match in matches):
            dangers.append(danger)
        elif matches:
            denied.append(danger)
    return Heard(tuple(dangers), tuple(denied), bool(found["water"] or found["floods"]))


def _matches(danger: Danger, found: Mapping[str, Sequence[Hit]]) -> list[list[Hit]]:
    """Return every way in which all groups stand near each other, without what makes them harmless."""
    first, *others = (found[name] for name in danger.groups)
    matches = []
    for hit in first:
        near = [_nearest(hit, group) for group in others]
        match = [hit, *(one for one in near if one is not None)]
        if len(match) == len(danger.groups) and not _is_harmless(danger, match, found):
            matches.append(match)
    return matches


def _nearest(hit: Hit, group: Sequence[Hit]) -> Hit | None:
    apart = [one for one in group if one != hit and abs(one[0] - hit[0]) <= WITHIN]
    return min(apart, key=lambda one: abs(one[0] - hit[0]), default=None)


def _is_harmless(danger: Danger, match: Sequence[Hit], found: Mapping[str, Sequence[Hit]]) -> bool:
    start, end = min(hit[0] for hit in match), max(hit[1] for hit in match)
    return any(
        start - 3 <= hit[0] and hit[1] <= end + 3 and not _has_person_nearer(match, found)
        for name in danger.unless
        for hit in found[name]
    )


def _has_person_nearer(match: Sequence[Hit], found: Mapping[str, Sequence[Hit]]) -> bool:
    """A dog in the sentence does not make the child beside it harmless."""
    place = match[0][0]
    return any(abs(hit[0] - place) <= WITHIN for name in ("child", "person") for hit in found[name])


def _is_denied(
    words: Sequence[str], match: Sequence[Hit], found: Mapping[str, Sequence[Hit]], known: _Lexicon
) -> bool:
    people = {place for name in ("child", "person") for hit in found[name] for place in range(*hit)}
    return any(
        _is_denied_before(words, hit[0], people, known) or _is_denied_after(words, hit[1], known)
        for hit in match
    )


def _is_denied_before(words: Sequence[str], start: int, people: set[int], known: _Lexicon) -> bool:
    for place in range(start - 1, -1, -1):
        if words[place] in known.no:
            return True
        if words[place] not in known.between and place not in people:
            return False
    return False


def _is_denied_after(words: Sequence[str], end: int, known: _Lexicon) -> bool:
    """``«Atrapados: ninguno»``, as forms are filled in."""
    behind = [word for word in words[end : end + 2] if word != STOP]
    if not behind or behind[0] not in known.after:
        return False
    answer = words.index(behind[0], end)
    return answer + 1 >= len(words) or words[answer + 1] == STOP


def _without_false_denials(words: list[str], known: _Lexicon) -> list[str]:
    left, place = [], 0
    while place < len(words):
        length = max((stem.length_at(words, place) for stem in known.not_denied), default=0)
        left.append(STOP if length else words[place])
        place += max(1, length)
    return left


def _hits(words: Sequence[str], stems: Sequence[Stem]) -> Iterator[Hit]:
    for place in range(len(words)):
        length = max(stem.length_at(words, place) for stem in stems)
        if length:
            yield place, place + length


@cache
def _lexicon() -> _Lexicon:
    raw = files("services.triage").joinpath("texts", "dangers.toml").read_text(encoding="utf-8")
    written: dict[str, Any] = tomllib.loads(raw)  # Any: TOML
    negation = {name: frozenset(tokens(" ".join(words))) for name, words in written["negation"].items()}
    return _Lexicon(
        words={name: tuple(map(Stem, words)) for name, words in written["words"].items()},
        dangers=tuple(_danger(row) for row in written["danger"]),
        no=negation["no"],
        between=negation["between"],
        after=negation["after"],
        not_denied=tuple(map(Stem, written["negation"]["not_denied"])),
    )


def _danger(row: dict[str, Any]) -> Danger:
    return Danger(
        row["code"], row["what"], row.get("hazard", ""), tuple(row["groups"]), tuple(row.get("unless", ()))
    )
