"""What crews write from the field, spelt as people spell; what is doubtful is not read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.crew_words import Statement, Word, read


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("VOY 6", Statement(Word.GO, people=6)),
        ("voy seis 4712", Statement(Word.GO, "4712", 6)),
        ("ok voy6", Statement(Word.GO, people=6)),
        ("Sí, voy", Statement(Word.GO)),
        ("Llegué", Statement(Word.ARRIVED)),
        ("4712 listo", Statement(Word.DONE, "4712")),
        ("no puedo 4712", Statement(Word.DECLINE, "4712")),
        ("NO VOY", Statement(Word.DECLINE)),
        ("Pido 2 lanchas", Statement(Word.NEED, text="2 LANCHAS")),
        ("CERRADA CALLE 3", Statement(Word.CLOSURE, text="CALLE 3")),
        ("calle 3 cerrada", Statement(Word.CLOSURE, text="CALLE 3")),
        ("sin paso", Statement(Word.NO_WAY)),
        ("ya salimos 6", Statement(Word.OUT, people=6)),
        ("REPLIEGUE 4712", Statement(Word.WITHDRAW, "4712")),
    ],
)
def test_words_are_read_however_they_are_written(text: str, statement: Statement) -> None:
    """Case, accents, order of code and number do not matter."""
    assert (statement,) == read(text)


@pytest.mark.parametrize(
    "text",
    ["aun no llegamos", "cuando voy?", "casi listo", "SI 4712", "NO 4712", "paso 4712", "SI 4712 VOY 5521"],
)
def test_what_could_be_read_in_two_ways_is_not_read(text: str) -> None:
    """A yes to a question of authority is never taken for a crew's word, nor the reverse."""
    assert () == read(text)


def test_one_message_may_say_several_things() -> None:
    """Each statement keeps its own code, and a word with two codes speaks of two tasks."""
    assert (Statement(Word.GO, "4712", 6), Statement(Word.DONE, "5521")) == read("VOY 6 4712 LISTO 5521")
    assert (Statement(Word.DONE, "4712"), Statement(Word.DONE, "5521")) == read("LISTO 4712 5521")
    assert [Word.ARRIVED, Word.NEED] == [each.word for each in read("Llegamos, pido una lancha")]


@given(st.text(max_size=300))
def test_nothing_that_people_write_breaks_the_reader(text: str) -> None:
    """Whatever comes, codes have four digits and texts an end."""
    for statement in read(text):
        assert statement.code is None or len(statement.code) == 4
        assert len(statement.text) <= 120
