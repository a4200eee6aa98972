"""What of a person is found in a log, and what is taken for none."""

from __future__ import annotations

import pytest

from tests.chaos.privacy import Personal, blind_spots, places

TEXT = "ALCALDIA DE CAOS: Rio Claro se desborda en Zona 001. Salga YA a pie a Escuela Central."
PERSONAL = Personal.of(["+50370000001"], ["Ixtacuy"], [TEXT])


@pytest.mark.parametrize(
    "line",
    [
        "sent to +50370000001",
        "to=50370000001",
        "key (phone)=(70000001) exists",
        "Ana Ixtacuy was asked",
        f"body={TEXT[10:50]!r}",
        "answer 'SI 4711'",
    ],
)
def test_what_is_personal_is_found(line: str) -> None:
    """Wherever in the line it stands, and a text by any part of it."""
    assert ["notify.log:2"] == places({"notify.log": f"started\n{line}\n"}, PERSONAL)


@pytest.mark.parametrize(
    "line",
    [
        "person_id=ana recipient_id=z-001-r1",
        "sid=SM70000001ab incident_id=70000001-70ab",
        "another number 70000002",
        "notify.message_sent zone=z-001",
    ],
)
def test_ids_are_not_personal(line: str) -> None:
    """Ids may stand in logs, also those in which digits happen to follow each other."""
    assert [] == places({"notify.log": line}, Personal.of(["+50370000003"], ["Ixtacuy"], [TEXT]))


def test_a_blind_search_says_so() -> None:
    """Each kind of thing is planted; a search that knows none of them finds the answer alone."""
    assert [] == blind_spots(PERSONAL, "+50370000001", "Ana Ixtacuy", TEXT)
    nothing = Personal.of([], [], [])
    found = blind_spots(nothing, "+50370000001", "Ana Ixtacuy", TEXT)
    assert ["a number", "a number without its country", "a name", "a text"] == found
