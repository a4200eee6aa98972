"""What a phone answered, read without mercy for ambiguity and with all for spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.replies import Answer, Say, Wish, read

YES = Answer(Say.APPROVE, "4712")


@pytest.mark.parametrize(
    "text",
    ["SI 4712", "sí 4712", " Sí,4712. ", "si4712", "SI\n4712", "4712 si", "si autorizo 4712", "SI 4712 4712"],
)
def test_yes_is_read_however_it_is_written(text: str) -> None:
    assert read(text).answers == (YES,)


@pytest.mark.parametrize(
    ("text", "say"),
    [
        ("NO 4712", Say.REJECT),
        ("paso 4712", Say.PASS),
        ("ok4712", Say.ACKNOWLEDGE),
        ("Recibido 4712", Say.ACKNOWLEDGE),
    ],
)
def test_each_word_has_its_meaning(text: str, say: Say) -> None:
    assert read(text).answers == (Answer(say, "4712"),)


def test_several_answers_in_one_message() -> None:
    """One SMS may answer several questions; a word holds until the next word."""
    assert read("SI 4712, 5521 NO 1234").answers == (
        YES,
        Answer(Say.APPROVE, "5521"),
        Answer(Say.REJECT, "1234"),
    )


@pytest.mark.parametrize(
    "text",
    ["no se si 4712", "si 4712 no", "SI 4712 NO 4712", "si no 4712 5521", "4712", "SI 47", "SI 47123", "si"],
)
def test_what_could_be_read_in_two_ways_is_read_in_none(text: str) -> None:
    """A doubtful yes must never send a text to a thousand people."""
    assert read(text).answers == ()


def test_word_without_its_code_is_noticed() -> None:
    assert read("si autorizo").without_code
    assert not read("que hago").without_code


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("ALTO", Wish.OPT_OUT_PERHAPS),
        ("baja.", Wish.OPT_OUT_PERHAPS),
        ("dejar mensajes", Wish.OPT_OUT),
        ("2", Wish.CHOICE_2),
        ("verificar v7k2", Wish.VERIFY),
        ("el rio esta alto", Wish.NONE),
        ("ya baja el agua", Wish.NONE),
    ],
)
def test_only_whole_messages_are_wishes(text: str, wish: Wish) -> None:
    """ALTO and BAJA are river words: inside a sentence they end nothing."""
    assert read(text).wish is wish


@given(st.text(max_size=300))
def test_nothing_that_people_write_breaks_the_reader(text: str) -> None:
    reading = read(text)
    assert all(len(answer.code) == 4 for answer in reading.answers)
