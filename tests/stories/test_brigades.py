"""Brigades answer in the words they use, and the next one is asked when one cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.stories.scenes import flood, incident_of, neighbours
from tests.support.phones import Phone
from tests.support.town import Town
from tests.support.towns import change

NOBODY = "+50379999999"
TASK = '"title": "Perifonear la zona"'


def task_of(town: Town) -> dict[str, Any]:
    """Return the town's only task as it was last published."""
    (only,) = town.tasks()
    return dict(only["snapshot"])


def says_unseen(town: Town, phone: Phone, words: str) -> None:
    """Let a phone send words that nobody has taken yet."""
    sender = town.folder().town.sender.number
    town.carrier.say(phone.number, words, to=sender)


def test_a_crew_goes_arrives_asks_and_is_done(town: Town) -> None:
    """No code is needed while one task is open; six people go, what they ask for reaches a coordinator."""
    flood(town).stays_silent()
    north = town.phone("brigada-norte")
    north.says("Voy 6")
    north.expects_sms("van 6", "LLEGUE")
    assert ("accepted", 6) == (task_of(town)["state"], task_of(town)["people"])
    north.says("Llegué. Pido 2 lanchas, cerrada calle 3")
    north.expects_sms("en el lugar", "LISTO")
    town.phone("ana").expects_sms("pide 2 LANCHAS")
    town.phone("ana").expects_sms("camino cerrado: CALLE 3")
    assert "on_scene" == task_of(town)["state"]
    north.says("listo")
    north.expects_sms("terminada")
    assert "done" == task_of(town)["state"]


def test_a_crew_that_goes_and_is_not_heard_of_is_asked_and_then_named(town: Town) -> None:
    """Half an hour after VOY the crew is asked; ten minutes later a coordinator reads who is overdue."""
    flood(town).replies("SI {code}")
    ana, north = town.phone("ana"), town.phone("brigada-norte")
    ana.expects_sms("autorizado")
    neighbours(town).expects_sms("Salga YA")
    north.says("VOY 6")
    north.expects_sms("van 6")
    town.wait(minutes=30)
    north.expects_sms("¿ya llegaron?", "LLEGUE").stays_silent()
    town.wait(minutes=10)
    north.expects_sms("¿ya llegaron?")
    ana.expects_sms("Brigada-Norte no dice que llego (debia a las 02:30)", "Llame por radio")
    north.says("LLEGUE")
    north.expects_sms("en el lugar", "LISTO")
    assert "on_scene" == task_of(town)["state"]
    town.wait(minutes=30)


def test_no_puedo_asks_the_next_brigade_at_once(town: Town) -> None:
    """Each who cannot is thanked, a coordinator knows, and a late VOY still finds an open task."""
    flood(town).stays_silent()
    ana, north, south = (town.phone(who) for who in ("ana", "brigada-norte", "brigada-sur"))
    north.says("NO PUEDO")
    north.expects_sms("otra brigada")
    ana.expects_sms("no puede", "Brigada-Sur")
    asked = south.expects_sms("Perifonear")
    asked.replies("no podemos {code}")
    south.expects_sms("Nadie")
    ana.expects_sms("NADIE tiene esta tarea")
    north.says("voy 3")
    north.expects_sms("van 3")
    assert ("accepted", "brigada-norte") == (task_of(town)["state"], task_of(town)["assignee_id"])


def test_two_brigades_accept_in_the_same_second(
    write: Callable[..., Path], start: Callable[..., Town]
) -> None:
    """The deadline asked the second brigade; then both say VOY: one has it, the other hears who."""
    folder = write()
    change(folder / "alta", "protocols.yaml", TASK, f'{TASK}, "due_s": 240')
    town = start(folder)
    flood(town).replies("SI {code}")
    ana, north, south = (town.phone(who) for who in ("ana", "brigada-norte", "brigada-sur"))
    ana.expects_sms("autorizado")
    neighbours(town).expects_sms("Salga YA")
    town.wait(minutes=4)
    ana.expects_sms("no respondio", "Brigada-Sur")
    south.expects_sms("Perifonear").stays_silent()
    says_unseen(town, north, "VOY 4")
    says_unseen(town, south, "VOY 5")
    town.settle()
    winner, loser = (north, south) if task_of(town)["assignee_id"] == "brigada-norte" else (south, north)
    winner.expects_sms("van", "LLEGUE")
    loser.expects_sms("ya va")
    if loser is south:  # it had been asked, and heard that it was spared before its own VOY was read
        loser.expects_sms("ya va")
    assert "accepted" == task_of(town)["state"]


def test_voy_for_a_cancelled_task_is_answered(town: Town) -> None:
    """The level fell by a decision: who was told hears of it, and a late VOY goes nowhere."""
    flood(town).replies("SI {code}")
    town.phone("ana").expects_sms("autorizado")
    neighbours(town).expects_sms("Salga YA")
    north = town.phone("brigada-norte")
    for gauge in ("g-001", "g-001-b"):
        town.gauge(gauge).sends(1.0)
    assert "applied" == town.decides("ana", incident_of(town)["incident_id"], "lower", level=1)
    north.expects_sms("cancelada", "bajo a nivel 1")
    north.says("VOY 6")
    north.expects_sms("ya no hace falta")
    assert "cancelled" == task_of(town)["state"]


def test_several_codes_in_one_message(town: Town) -> None:
    """Two floods, two tasks: one text accepts both, and without codes nobody guesses which."""
    flood(town).stays_silent()
    for gauge in ("g-002", "g-002-b"):
        town.gauge(gauge).sends(3.1)
    town.phone("ana").expects_sms("authority", "Zona 002").stays_silent()
    north = town.phone("brigada-norte")
    second = north.expects_sms("Perifonear", "Zona 002")
    north.says("VOY 6")
    north.expects_sms("varias tareas")
    codes = [row[0] for row in town.rows("notify", "SELECT code FROM code WHERE person_id = 'brigada-norte'")]
    assert second.code in codes
    north.says(f"voy {' '.join(codes)} 6")
    north.expects_sms("van 6")
    assert ["accepted", "accepted"] == [task["state"] for task in town.tasks()]


def test_a_reply_from_nobodys_phone_is_kept_and_answered_by_nobody(town: Town) -> None:
    """What a stranger writes is not lost, does nothing, and starts no conversation."""
    flood(town).stays_silent()
    says_unseen(town, town.phones[NOBODY], "VOY 6")
    town.settle()
    town.phones[NOBODY].expects_nothing()
    outcomes = [row[0] for row in town.rows("notify", "SELECT outcome FROM door_inbox")]
    assert 1 == outcomes.count("unknown_number")
    assert "assigned" == task_of(town)["state"]
