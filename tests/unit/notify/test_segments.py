"""Counting septets and segments, and the letters that a phone's default alphabet knows."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.segments import (
    GSM7_BASIC,
    GSM7_EXTENDED,
    is_gsm7,
    segments_of,
    size_of,
    transliterate,
)

GSM7 = st.sampled_from(sorted(GSM7_BASIC | GSM7_EXTENDED))
SPANISH = "abcdefghijklmnopqrstuvwxyzáéíóúüñÁÉÍÓÚÜÑ¿?¡!.,:;-0123456789 "


def test_gsm7_has_128_places_less_the_escape():
    assert len(GSM7_BASIC) == 127


@pytest.mark.parametrize(
    ("text", "encoding", "segments"),
    [
        pytest.param("", "gsm7", 1, id="an empty text takes one"),
        pytest.param("a" * 160, "gsm7", 1, id="160 septets stand alone"),
        pytest.param("a" * 161, "gsm7", 2, id="161 make a series of 153"),
        pytest.param("a" * 306, "gsm7", 2, id="two full ones"),
        pytest.param("a" * 307, "gsm7", 3, id="one more"),
        pytest.param("€" * 80, "gsm7", 1, id="the euro costs two"),
        pytest.param("a" * 152 + "€" + "a" * 152, "gsm7", 3, id="an escape is never cut in two"),
        pytest.param("á" + "a" * 69, "ucs2", 1, id="one accent makes it UCS-2"),
        pytest.param("á" + "a" * 70, "ucs2", 2, id="71 units"),
        pytest.param("😀" * 35, "ucs2", 1, id="an emoji is two units"),
        pytest.param("😀" * 36, "ucs2", 2, id="a pair is never cut in two"),
    ],
)
def test_segments(text, encoding, segments):
    size = size_of(text)
    assert (encoding, segments) == (size.encoding, size.segments)


def test_the_accented_flood_text_falls_from_three_segments_to_one():
    """The example of the field: accents alone triple the price and the time of a broadcast."""
    text = ("Evacúe ya: Inundación en La Vega. " * 5)[:145]
    assert segments_of(text) == 3
    assert segments_of(transliterate(text)) == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("áíóú ÁÍÓÚ", "aiou AIOU"),
        ("é ñ ü É Ñ Ü ¡ ¿", "é ñ ü É Ñ Ü ¡ ¿"),
        ("“sí” – no…", '"si" - no...'),
        ("3º B, n.\u00a07", "3o B, n. 7"),
        ("e\u0301", "é"),
        ("中", "中"),
    ],
)
def test_transliterate(before, after):
    assert after == transliterate(before)


@given(st.text(alphabet=SPANISH, max_size=700))
def test_every_spanish_text_becomes_gsm7_of_the_same_length(text):
    plain = transliterate(text)
    assert is_gsm7(plain)
    assert len(text) == len(plain)


@given(st.text(max_size=400))
def test_transliterate_twice_is_once(text):
    assert transliterate(text) == transliterate(transliterate(text))


@given(st.lists(GSM7, max_size=700).map("".join))
def test_gsm7_segments_lie_between_the_bounds(text):
    """Never fewer than the septets need, never more than one septet of padding per segment allows."""
    size = size_of(text)
    assert size.encoding == "gsm7"
    if size.units <= 160:
        assert size.segments == 1
    else:
        assert math.ceil(size.units / 153) <= size.segments <= math.ceil(size.units / 152)


@given(st.text(max_size=300), st.text(max_size=300))
def test_more_text_never_costs_less(text, more):
    assert segments_of(text) <= segments_of(text + more)
