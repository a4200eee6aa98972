"""A link is as good as its signature: one changed letter is another link, and none of ours."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas.vocabulary import Purpose
from services.notify.outbound.link_token import Link, LinkError, read, sign

SECRET, OLD = "a" * 32, "b" * 32
LINK = Link(
    "ejemplo",
    "ana",
    "6f0d5a0e-9a57-5d3a-8a3e-3f1f6c2b7d10",
    Purpose.PAGE,
    "es",
    datetime(2026, 5, 5, 20, tzinfo=UTC),
)


def test_a_link_says_what_was_signed() -> None:
    """Also while the secret is rotated."""
    assert LINK == read(sign(LINK, SECRET), [SECRET])
    assert LINK == read(sign(LINK, OLD), [SECRET, OLD])


def test_every_changed_letter_is_refused() -> None:
    """No spelling but the one that was sent opens anything."""
    token = sign(LINK, SECRET)
    for place, letter in enumerate(token):
        other = token[:place] + ("A" if letter != "A" else "B") + token[place + 1 :]
        with pytest.raises(LinkError):
            read(other, [SECRET])


@pytest.mark.parametrize("token", ["", "A", "AAAA", "ñ", "A" * 500, "a b", "=" * 40])
def test_what_is_no_link_is_refused(token: str) -> None:
    """Whatever somebody types behind the address."""
    with pytest.raises(LinkError):
        read(token, [SECRET])


def test_signed_by_nobody_we_know() -> None:
    """Another installation's link is none of ours."""
    with pytest.raises(LinkError):
        read(sign(LINK, "c" * 32), [SECRET, OLD])
