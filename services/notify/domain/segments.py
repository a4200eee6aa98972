"""How many segments a text costs, and the same text with the letters that GSM-7 knows. Pure.

The carrier bills, queues and rates by segment: 160 septets alone or 153 in a series; one letter outside
GSM-7 (``á`` is one) makes the whole text UCS-2, 70 or 67 units. Alphabet: 3GPP TS 23.038, tables 6.2.1.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

GSM7_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM7_EXTENDED: Final = frozenset("\f^{}\\[~]|€")

ALONE_SEPTETS: Final = 160
SERIES_SEPTETS: Final = 153
ALONE_UNITS: Final = 70
SERIES_UNITS: Final = 67

_PLAIN: Final = {
    "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201c": '"', "\u201d": '"', "\u201e": '"',
    "\u00ab": '"', "\u00bb": '"', "\u2013": "-", "\u2014": "-", "\u2212": "-", "\u2010": "-",
    "\u2011": "-", "\u2026": "...", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u00ba": "o",
    "\u00aa": "a", "\u00b0": "o", "\u2022": "-", "\u00b7": ".", "\u00d7": "x", "\u00b4": "'", "`": "'",
    "\t": " ", "\u200b": "", "\ufeff": "",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Size:
    """What a text costs to send.

    Attributes:
        units: Septets in GSM-7, UTF-16 code units in UCS-2.
    """

    encoding: Literal["gsm7", "ucs2"]
    units: int
    segments: int


def transliterate(text: str) -> str:
    """Return the text with GSM-7 letters where one stands for the same: ``á`` → ``a``; ``é ñ ü ¿ ¡`` stay.

    What has no such letter (``ł``, ``中``) is kept as it is, so that nobody's name is silently cut; the
    text then counts as UCS-2.
    """
    return "".join(_letter(letter) for letter in unicodedata.normalize("NFC", text))


def is_gsm7(text: str) -> bool:
    return all(letter in GSM7_BASIC or letter in GSM7_EXTENDED for letter in text)


def size_of(text: str) -> Size:
    """Return encoding, units and segments of exactly this text, as the carrier will bill it."""
    if is_gsm7(text):
        widths = [1 if letter in GSM7_BASIC else 2 for letter in text]
        return Size("gsm7", sum(widths), _segments(widths, ALONE_SEPTETS, SERIES_SEPTETS))
    widths = [1 if ord(letter) < 0x10000 else 2 for letter in text]
    return Size("ucs2", sum(widths), _segments(widths, ALONE_UNITS, SERIES_UNITS))


def segments_of(text: str) -> int:
    """Return how many segments this text takes; an empty text takes one."""
    return size_of(text).segments


def _segments(widths: Iterable[int], alone: int, series: int) -> int:
    """Count segments; a letter of two units (escape, surrogate pair) is never cut in two."""
    letters = list(widths)
    if sum(letters) <= alone:
        return 1
    segments, used = 1, 0
    for width in letters:
        if used + width > series:
            segments, used = segments + 1, 0
        used += width
    return segments


@lru_cache(maxsize=4096)
def _letter(letter: str) -> str:
    if letter in GSM7_BASIC or letter in GSM7_EXTENDED:
        return _PLAIN.get(letter, letter)
    plain = _PLAIN.get(letter)
    if plain is not None:
        return plain
    base = "".join(part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part))
    return base if base and is_gsm7(base) else letter
