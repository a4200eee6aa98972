"""Public words need a person who may say them: by code, by key, in office, and only once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.stories.scenes import flood, incident_of, neighbours, warning_of
from tests.support.town import Town


def end_office(folder: Path, operator: str, at: str) -> None:
    """End an operator's office."""
    file = folder / "operators.yaml"
    told = json.loads(file.read_text())
    for row in told["operators"]:
        if row["id"] == operator:
            row["valid_to"] = at
    file.write_text(json.dumps(told))


def test_a_yes_by_sms_sends_it(town: Town) -> None:
    """SI with the code of the question: authorised in that person's name, with their instrument."""
    flood(town).replies("sí {code}.")
    town.phone("ana").expects_sms("autorizado", "3 teléfonos")
    neighbours(town).expects_sms("warning")
    by = warning_of(town)["authority_of"]
    assert ("operator", "ana", "Acuerdo 3-2026") == (by["kind"], by["operator_id"], by["instrument"])


def test_a_code_typed_in_the_call_sends_it(town: Town) -> None:
    """In the call the four digits of one's code authorise."""
    question = flood(town)
    town.wait(minutes=2)
    town.phone("ana").expects_call("authority").presses(question.code)
    town.phone("ana").expects_sms("autorizado")
    neighbours(town).expects_sms("warning")
    town.wait(hours=1)


def test_one_key_pressed_in_the_call_is_no_authority(town: Town) -> None:
    """1 says "I heard": it authorises nothing, and the question goes on to the next person."""
    flood(town, sites=1)
    town.wait(minutes=2)
    town.phone("ana").expects_call("flood").presses("1")
    neighbours(town).expects_nothing()
    town.wait(minutes=1)
    beto = town.phone("beto")
    beto.expects_call("flood").stays_silent()
    beto.expects_sms("authority").replies("NO {code}")
    beto.expects_sms("no sale")


def test_a_decision_by_key_sends_it(town: Town) -> None:
    """By command line the operator's own signature stands for them."""
    flood(town).stays_silent()
    assert "applied" == town.decides("carla", incident_of(town)["incident_id"], "approve")
    neighbours(town).expects_sms("warning")
    assert "carla" == warning_of(town)["authority_of"]["operator_id"]
    town.wait(hours=1)


def test_an_unsigned_decision_is_refused_and_written_down(town: Town) -> None:
    """Whoever holds the administrator's token, but not the operator's key, decides nothing."""
    flood(town).stays_silent()
    decision = town.decision("beto", incident_of(town)["incident_id"], "approve")
    for forged in (
        decision.model_copy(update={"operator_signature": None}),
        decision.model_copy(update={"operator_id": "ana"}),
    ):
        assert 403 == town.hands_over(forged).status_code
    assert [("decision.forged",)] * 2 == town.rows("notify", "SELECT action FROM audit")
    neighbours(town).expects_nothing()


def test_five_wrong_codes_lock(town: Town) -> None:
    """Who guesses is locked out: even the right code is worth nothing then, and the next person is rung."""
    question, ana = flood(town), town.phone("ana")
    wrong = f"{(int(question.code) + 1) % 10_000:04d}"
    for _ in range(4):
        ana.says(f"SI {wrong}")
        ana.expects_sms("no está vigente")
    ana.says(f"SI {wrong}")
    ana.expects_sms("Demasiados códigos")
    beto = town.phone("beto")
    beto.expects_sms("authority", "bloqueado").stays_silent()
    beto.expects_call("authority").stays_silent()
    question.replies("SI {code}")
    ana.expects_sms("Demasiados códigos")
    neighbours(town).expects_nothing()
    assert "applied" == town.decides("beto", incident_of(town)["incident_id"], "approve")
    neighbours(town).expects_sms("warning")


def test_words_we_do_not_know_get_one_helpful_answer(town: Town) -> None:
    """Five puzzled texts are not five answers; and the question stays open."""
    question, ana = flood(town), town.phone("ana")
    for words in ("que pasa", "hola?", "no entiendo", "🌊🌊", "si pero como"):
        ana.says(words)
    ana.expects_sms("Ejemplo: OK 4712")
    question.replies("SI {code}")
    ana.expects_sms("autorizado")
    neighbours(town).expects_sms("warning")


def test_a_neighbour_who_answers_is_helped_once(town: Town) -> None:
    """A resident is told where to call; a no of theirs is no decision."""
    flood(town).replies("SI {code}")
    town.phone("ana").expects_sms("autorizado")
    neighbours(town).expects_sms("warning")
    neighbour = town.phones[town.residents("z-001")[0]]
    for words in ("SI", "esta alto el rio", "gracias"):
        neighbour.says(words)
    neighbour.expects_sms("llame al 911")
    town.wait(hours=1)


def test_who_is_no_longer_in_office_decides_nothing(
    write: Callable[..., Path], start: Callable[..., Town]
) -> None:
    """An operator whose office has ended is refused, by key and by code, and told so."""
    folder = write()
    end_office(folder / "alta", "ana", "2026-05-05T01:00:00-06:00")
    town = start(folder)
    question = flood(town)
    decision = town.decision("ana", incident_of(town)["incident_id"], "approve")
    answer = town.hands_over(decision).json()
    assert ("refused", "operator.not_in_office") == (answer["ruling"], answer["reasons"][0]["code"])
    question.replies("SI {code}")
    town.phone("ana").expects_sms("no está en funciones")
    neighbours(town).expects_nothing()
    assert "requested" == warning_of(town)["state"]


def test_only_the_first_of_two_decides(town: Town) -> None:
    """Beto approves, Ana refuses a second later: one warning, and Ana is told that it was decided."""
    question = flood(town)
    incident_id = incident_of(town)["incident_id"]
    town.hands_over_unseen(town.decision("beto", incident_id, "approve"))
    assert "refused" == town.decides("carla", incident_id, "reject")
    question.replies("NO {code}")
    town.phone("ana").expects_sms("ya fue decidida")
    neighbours(town).expects_sms("warning")


def test_a_decision_on_what_nobody_knows_expires(town: Town) -> None:
    """It waits a minute for its incident to appear, then the person is told."""
    decision = town.decision("ana", "no-such-incident", "approve")
    assert town.hands_over(decision).json()["ruling"] is None
    town.wait(minutes=1)
    assert "expired" == town.ruling(decision)
