"""A correction and a lift reach exactly those who were told: nobody less, nobody more."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stories.scenes import flood, neighbours, warning_of
from tests.support.fake_twilio.faults import FaultPlan
from tests.support.town import Town

WRONG = "ALCALDIA DE ALTA: corrección: el aviso de la Zona 001 fue un error. Quédese en casa. Río normal."


def approve(town: Town) -> None:
    flood(town).replies("SI {code}")
    town.phone("ana").expects_sms("autorizado")


def ends(town: Town, verb: str) -> str:
    """Let Beto correct or lift; return words that the told then read."""
    fields = {"text": {"*": WRONG}} if verb == "correct" else {}
    assert "applied" == town.decides("beto", warning_of(town)["incident_id"], verb, **fields)
    return "fue un error" if verb == "correct" else "termina el aviso"


@pytest.mark.parametrize("verb", ["correct", "lift"])
def test_everybody_who_was_told_hears_of_it_and_nobody_else(town: Town, verb: str) -> None:
    """Also who has moved away since; not who moved in, and not the other zone or town."""
    approve(town)
    neighbours(town).expects_sms("Salga YA")
    town.rows("notify", "UPDATE recipient SET zone = 'z-002' WHERE recipient_id = 'z-001-r1'")
    town.rows("notify", "UPDATE recipient SET zone = 'z-001' WHERE recipient_id = 'z-002-r1'")
    words = ends(town, verb)
    neighbours(town).expects_sms(words)
    town.wait(hours=1)


@pytest.mark.parametrize("verb", ["correct", "lift"])
def test_what_never_left_is_withdrawn_and_never_corrected(town: Town, verb: str) -> None:
    """The carrier was too busy to take one text: that neighbour hears of neither."""
    first, second, third = town.residents("z-001")
    town.carrier.faults.plan = FaultPlan(busy_share=1.0, only_to=re.escape(third))
    approve(town)
    town.phones.of(first, second).expects_sms("Salga YA")
    words = ends(town, verb)
    town.phones.of(first, second).expects_sms(words)
    town.carrier.faults.plan = FaultPlan()
    town.wait(hours=1)


PATIENT = {"unresolved_after_s": 600}
"""Nobody asks the carrier about an unknown outcome until somebody has to know."""


def in_doubt(town: Town, **fault: float) -> str:
    """Let the line break for one neighbour's text, and return that neighbour's number."""
    _, second, _ = town.residents("z-001")
    only = {"callback_drop_share": 1.0, "only_to": second.replace("+", r"\+")}
    town.carrier.faults.plan = FaultPlan.read(only | fault)
    approve(town)
    return second


@pytest.mark.parametrize("verb", ["correct", "lift"])
def test_an_unknown_outcome_is_cleared_up_first_and_then_told(
    write: Callable[..., Path], start: Callable[..., Town], verb: str
) -> None:
    """The line broke after the carrier took a text: its list says so, and then it is corrected."""
    town = start(write(), PATIENT)
    in_doubt(town, reset_after_share=1.0)
    neighbours(town).expects_sms("Salga YA")
    town.carrier.faults.plan = FaultPlan()
    words = ends(town, verb)
    neighbours(town).expects_sms(words)
    town.wait(hours=1)


@pytest.mark.parametrize("verb", ["correct", "lift"])
def test_who_turns_out_never_told_hears_of_neither(
    write: Callable[..., Path], start: Callable[..., Town], verb: str
) -> None:
    """The carrier failed before it took a text and its list does not know it: nothing goes there."""
    town = start(write(), PATIENT | {"list_patience_s": 0})
    second = in_doubt(town, fail_before_share=1.0)
    told = town.phones.of(*(each for each in town.residents("z-001") if each != second))
    told.expects_sms("Salga YA")
    town.carrier.faults.plan = FaultPlan()
    words = ends(town, verb)
    told.expects_sms(words)
    town.wait(hours=1)


def test_a_switched_off_phone_was_told(town: Town) -> None:
    """It did not ring, but it will when it is switched on: the correction goes there too."""
    first, *_ = town.residents("z-001")
    town.phones[first].is_switched_off()
    approve(town)
    neighbours(town).expects_sms("Salga YA")
    words = ends(town, "correct")
    neighbours(town).expects_sms(words)


def test_a_lift_after_a_correction_reaches_the_told_once(town: Town) -> None:
    """Each of the two is one text, and the end is the end: nothing can be corrected after it."""
    approve(town)
    neighbours(town).expects_sms("Salga YA")
    neighbours(town).expects_sms(ends(town, "correct"))
    neighbours(town).expects_sms(ends(town, "lift"))
    assert "lifted" == warning_of(town)["state"]
    incident_id = warning_of(town)["incident_id"]
    assert "refused" == town.decides("beto", incident_id, "correct", text={"*": WRONG})
    assert "refused" == town.decides("beto", incident_id, "lift")
    town.wait(hours=8)
