"""Numbers at rest."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidTag

from services.notify.outbound.phones import PhoneCipher

NUMBER = "+50370000001"


def test_sealed_number_opens_with_its_key_only() -> None:
    cipher = PhoneCipher(b"k" * 32)
    sealed = cipher.seal(NUMBER)
    assert cipher.open(sealed) == NUMBER
    assert sealed != cipher.seal(NUMBER)
    with pytest.raises(InvalidTag):
        PhoneCipher(b"x" * 32).open(sealed)


def test_index_finds_the_number_and_tells_nothing() -> None:
    cipher = PhoneCipher(b"k" * 32)
    assert cipher.index(NUMBER) == cipher.index(f" {NUMBER} ")
    assert cipher.index(NUMBER) != PhoneCipher(b"x" * 32).index(NUMBER)


def test_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        PhoneCipher(b"short")
