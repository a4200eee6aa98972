"""Read what a crew writes from the field. Pure; which task it is about is decided elsewhere.

``VOY 6`` · ``LLEGUE`` · ``LISTO`` · ``NO PUEDO`` · ``PIDO 2 LANCHAS`` · ``CERRADA CALLE 3`` · ``SIN PASO`` ·
``SALIMOS 6`` · ``REPLIEGUE``, with a code or without, several in one message. What could be read in two
ways (``aun no llegamos``, ``cuando voy?``) is read in none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.notify.domain.replies import plain


class Word(StrEnum):
    """What a crew may say of a task."""

    GO = "go"
    ARRIVED = "arrived"
    DONE = "done"
    DECLINE = "decline"
    OUT = "out"
    NEED = "need"
    CLOSURE = "closure"
    NO_WAY = "no_way"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing said. ``text`` is what is needed or closed; ``people`` how many go or came out."""

    word: Word
    code: str | None = None
    people: int | None = None
    text: str = ""


_PHRASES: Final[dict[str, Word]] = {
    "NO PUEDO": Word.DECLINE,
    "NO PODEMOS": Word.DECLINE,
    "NO VOY": Word.DECLINE,
    "NO VAMOS": Word.DECLINE,
    "VOY": Word.GO,
    "VAMOS": Word.GO,
    "VAN": Word.GO,
    "EN CAMINO": Word.GO,
    "LLEGUE": Word.ARRIVED,
    "LLEGAMOS": Word.ARRIVED,
    "EN EL LUGAR": Word.ARRIVED,
    "EN SITIO": Word.ARRIVED,
    "LISTO": Word.DONE,
    "LISTOS": Word.DONE,
    "LISTA": Word.DONE,
    "TERMINAMOS": Word.DONE,
    "TERMINADO": Word.DONE,
    "HECHO": Word.DONE,
    "SALIMOS": Word.OUT,
    "ESTAMOS FUERA": Word.OUT,
    "PIDO": Word.NEED,
    "PEDIMOS": Word.NEED,
    "NECESITO": Word.NEED,
    "NECESITAMOS": Word.NEED,
    "CERRADA": Word.CLOSURE,
    "CERRADO": Word.CLOSURE,
    "SIN PASO": Word.NO_WAY,
    "NO HAY PASO": Word.NO_WAY,
    "REPLIEGUE": Word.WITHDRAW,
}
_SPLIT: Final = [(tuple(phrase.split()), word) for phrase, word in _PHRASES.items()]
_FREE: Final = frozenset({Word.NEED, Word.CLOSURE, Word.NO_WAY})
# Beside a word of progress these turn its sense, or make a question of it.
_TURNS: Final = frozenset({"NO", "AUN", "TODAVIA", "CASI", "FALTA", "CUANDO", "PASO"})
_YES: Final = frozenset({"SI"})  # "si voy 6" is a yes; with two codes nobody knows what it says yes to
_NUMBERS: Final = dict(
    zip(
        ["UNO", "DOS", "TRES", "CUATRO", "CINCO", "SEIS", "SIETE", "OCHO", "NUEVE", "DIEZ", "ONCE", "DOCE"],
        range(1, 13),
        strict=True,
    )
)
_CODE: Final = re.compile(r"\d{4}")
_PEOPLE: Final = re.compile(r"\d{1,3}")
_MOST_BEFORE: Final = 3
_MOST_STATEMENTS: Final = 8
_MOST_TEXT: Final = 120


def read(text: str) -> tuple[Statement, ...]:
    """Return what a crew says, in its order; nothing when it says nothing that we know."""
    if "?" in text:
        return ()
    words = re.sub(r"\b([A-ZÑ]{2,})(\d{1,4})\b", r"\1 \2", plain(text)).split()
    clauses = list(_clauses(words))
    if len(clauses) < 2:
        return ()
    before, *said = [rest for _, rest in clauses]
    if len(before) > _MOST_BEFORE and clauses[1][0] not in _FREE:
        return ()
    said[0] = [*(word for word in before if _CODE.fullmatch(word)), *said[0]]
    loose = [word for word in before if not _CODE.fullmatch(word)]
    codes = sorted({word for word in words if _CODE.fullmatch(word)})
    only = codes[0] if len(codes) == 1 else None
    turns = _TURNS if len(codes) < 2 else _TURNS | _YES
    statements: list[Statement] = []
    for place, ((word, _), rest) in enumerate(zip(clauses[1:], said, strict=True)):
        leading = loose if place == 0 else []
        if word is None or (word not in _FREE and turns & {*leading, *rest}):
            return ()
        statements += _statements(word, leading, rest, only)
    return tuple(dict.fromkeys(statements))[:_MOST_STATEMENTS]


def _clauses(words: Sequence[str]) -> Iterator[tuple[Word | None, list[str]]]:
    """Yield what stands before the first phrase, then each phrase with what follows it."""
    word: Word | None = None
    rest: list[str] = []
    at = 0
    while at < len(words):
        found = next((each for each in _SPLIT if tuple(words[at : at + len(each[0])]) == each[0]), None)
        if found is None:
            rest.append(words[at])
            at += 1
            continue
        yield word, rest
        word, rest = found[1], []
        at += len(found[0])
    yield word, rest


def _statements(word: Word, leading: list[str], rest: list[str], only: str | None) -> list[Statement]:
    codes: list[str | None] = [each for each in rest if _CODE.fullmatch(each)]
    others = [each for each in rest if not _CODE.fullmatch(each)]
    if word in _FREE:
        return [Statement(word, (codes or [only])[0], text=" ".join(others or leading)[:_MOST_TEXT])]
    people = next((_count(each) for each in others if _count(each) is not None), None)
    return [Statement(word, code, people) for code in codes or [only]]


def _count(word: str) -> int | None:
    return int(word) if _PEOPLE.fullmatch(word) else _NUMBERS.get(word)
