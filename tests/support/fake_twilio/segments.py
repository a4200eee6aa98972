"""How many SMS segments a text is billed as. Written apart from the services' own counter on purpose."""

from __future__ import annotations

# GSM 03.38 basic alphabet and its extension table, from 3GPP TS 23.038.
BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = frozenset("\f^{}\\[~]|€")


def is_gsm7(text: str) -> bool:
    return all(sign in BASIC or sign in EXTENSION for sign in text)


def segments(text: str) -> int:
    """Return 1 or more: 160/153 septets, or 70/67 UTF-16 units when a sign is outside GSM-7."""
    if is_gsm7(text):
        return _parts(sum(2 if sign in EXTENSION else 1 for sign in text), 160, 153)
    return _parts(len(text.encode("utf-16-le")) // 2, 70, 67)


def _parts(size: int, alone: int, joined: int) -> int:
    return 1 if size <= alone else -(-size // joined)
