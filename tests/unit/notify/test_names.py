"""Ids and codes that derive from what they name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain import names

KEY = b"k" * 32


def test_same_thing_has_the_same_id_and_another_town_another() -> None:
    assert names.alert_id("alta", "i", "page", 1) == names.alert_id("alta", "i", "page", 1)
    assert names.alert_id("alta", "i", "page", 1) != names.alert_id("baja", "i", "page", 1)


def test_parts_cannot_run_into_each_other() -> None:
    assert names.derived("ab", "c") != names.derived("a", "bc")


def test_changed_text_does_not_fit_its_id() -> None:
    assert names.body_id("es", False, "Salga") != names.body_id("es", False, "Salga.")
    assert names.body_id("es", False, "Salga") != names.body_id("es", True, "Salga")


@given(st.text(max_size=20), st.text(max_size=20), st.integers(0, 50))
def test_code_is_always_four_digits(subject: str, person: str, attempt: int) -> None:
    code = names.four_digits(KEY, "alta", subject, person, attempt)
    assert len(code) == 4
    assert 1000 <= int(code) <= 9999


def test_code_differs_by_person_and_key() -> None:
    codes = {names.four_digits(KEY, "alta", "r", f"p{n}") for n in range(50)}
    assert len(codes) > 45
    assert names.four_digits(KEY, "alta", "r", "p") != names.four_digits(b"x" * 32, "alta", "r", "p")


def test_verify_code_has_no_letter_that_is_misread() -> None:
    code = names.verify_code("alta", "w-1")
    assert len(code) == 4
    assert not set(code) & set("0O1I5S8B")
