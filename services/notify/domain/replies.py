"""Read what a phone answered. Pure; who may say it and whether the code is theirs is decided elsewhere.

Accents, case, spaces and stops do not matter. Anything that could be read in two ways is read in none:
``NO se si 4712`` approves nothing.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Say(StrEnum):
    """What a person on duty may answer with a code."""

    APPROVE = "approve"
    REJECT = "reject"
    PASS = "pass"  # noqa: S105 - a word, no secret
    ACKNOWLEDGE = "acknowledge"


class Wish(StrEnum):
    """What a whole message may ask for without a code."""

    NONE = "none"
    OPT_OUT_PERHAPS = "opt_out_perhaps"
    OPT_OUT = "opt_out"
    CHOICE_1 = "choice_1"
    CHOICE_2 = "choice_2"
    VERIFY = "verify"


WORDS: Final = {
    "SI": Say.APPROVE,
    "NO": Say.REJECT,
    "PASO": Say.PASS,
    "OK": Say.ACKNOWLEDGE,
    "OKEY": Say.ACKNOWLEDGE,
    "RECIBIDO": Say.ACKNOWLEDGE,
}

# River words too ("esta alto", "ya baja"): even alone they are only a question.
_MAYBE_OPT_OUT: Final = frozenset({"ALTO", "BAJA", "PARAR"})
_OPT_OUT: Final = frozenset({"DEJAR MENSAJES", "NO MAS MENSAJES", "BAJA MENSAJES", "QUITAR MENSAJES"})
_CODE: Final = re.compile(r"\d{4}")
_TOKEN: Final = re.compile(r"[A-ZÑ]+|\d+")
_MOST_ANSWERS: Final = 10


@dataclass(frozen=True, slots=True)
class Answer:
    say: Say
    code: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What was understood. Neither answers nor wish: words we do not know.

    Attributes:
        without_code: A word of ours stood there without its code; worth a hint of its own.
        bare: The message is that one word and nothing else: enough where only one question is open.
    """

    answers: tuple[Answer, ...] = ()
    wish: Wish = Wish.NONE
    verify_code: str | None = None
    without_code: bool = False
    bare: Say | None = None

    @property
    def understood(self) -> bool:
        return bool(self.answers) or self.wish is not Wish.NONE


def read(text: str) -> Reading:
    """Return what this SMS says."""
    spelt = plain(text)
    words = _TOKEN.findall(spelt)
    wish = _wish(spelt)
    if wish is not Wish.NONE:
        return Reading(wish=wish, verify_code=spelt.split()[1] if wish is Wish.VERIFY else None)
    answers = _answers(words)
    without_code = not answers and any(word in WORDS for word in words) and not _codes(words)
    return Reading(answers=answers, without_code=without_code, bare=_bare(words))


def plain(text: str) -> str:
    """Upper case, no accents (ñ stays), one space between words, a word and its code apart."""
    kept = unicodedata.normalize("NFC", text[:1600]).upper().replace("Ñ", "\0")
    bare = "".join(ch for ch in unicodedata.normalize("NFKD", kept) if not unicodedata.combining(ch))
    spaced = re.sub(r"[^A-Z0-9\0]+", " ", bare)
    apart = re.sub(r"\b(SI|NO|PASO|OK)(\d{4})\b", r"\1 \2", spaced)
    return apart.replace("\0", "Ñ").strip()


def _bare(words: list[str]) -> Say | None:
    """``SI`` alone, or ``ok recibido``; not ``si llueve``, which says something else."""
    said = {WORDS.get(word) for word in words}
    return said.pop() if len(said) == 1 else None


def _answers(words: list[str]) -> tuple[Answer, ...]:
    if len(_codes(words)) == 1:
        return _single(words)
    found: list[Answer] = []
    said: set[Say] = set()
    fresh = False  # the words in ``said`` stand after the last code
    for word in words:
        if word in WORDS:
            said = {*said, WORDS[word]} if fresh else {WORDS[word]}
            fresh = True
        elif _CODE.fullmatch(word):
            if len(said) != 1:
                return ()
            found.append(Answer(next(iter(said)), word))
            fresh = False
    doubled = len({answer.code for answer in found}) != len(set(found))
    return () if fresh or doubled else tuple(dict.fromkeys(found))[:_MOST_ANSWERS]


def _single(words: list[str]) -> tuple[Answer, ...]:
    """One code: its word may stand before or after it, but there must be one only."""
    said = {WORDS[word] for word in words if word in WORDS}
    return (Answer(said.pop(), _codes(words)[0]),) if len(said) == 1 else ()


def _codes(words: list[str]) -> list[str]:
    return [word for word in words if _CODE.fullmatch(word)]


def _wish(spelt: str) -> Wish:
    if spelt in _MAYBE_OPT_OUT:
        return Wish.OPT_OUT_PERHAPS
    if spelt in _OPT_OUT:
        return Wish.OPT_OUT
    if spelt in {"1", "2"}:
        return Wish.CHOICE_1 if spelt == "1" else Wish.CHOICE_2
    if re.fullmatch(r"(VERIFICAR|VERIFICA|VERIFY) [A-Z0-9]{4}", spelt):
        return Wish.VERIFY
    return Wish.NONE
