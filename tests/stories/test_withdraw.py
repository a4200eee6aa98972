"""REPLIEGUE overtakes everything, and somebody counts who came out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.stories.scenes import flood, incident_of, neighbours
from tests.support.town import Town

BROADCAST = 1_000
IN_FLIGHT = 64


def texts(town: Town) -> list[dict[str, Any]]:
    return town.phones.entries("message")


def claim_texts_of(town: Town, zone: str) -> int:
    """Speak of every text to a zone at once, and return how many there were."""
    numbers = set(town.residents(zone))
    rows = [row for row in texts(town) if row["phone"] in numbers]
    for row in rows:
        town.phones.claim(row)
    return len(rows)


def test_repliegue_overtakes_a_running_broadcast(
    write: Callable[..., Path], start: Callable[..., Town]
) -> None:
    """Ordered in the middle of a thousand texts it is the next to leave; six pressed is six people out."""
    town = start(write(zones=1, residents_per_zone=BROADCAST))
    asked = flood(town)
    north, ana = town.phone("brigada-norte"), town.phone("ana")
    north.says("VOY 6")
    north.expects_sms("van 6")
    order = town.decision("ana", incident_of(town)["incident_id"], "withdraw")

    async def order_in_the_middle() -> int:
        sending = asyncio.create_task(town._settle())
        while len(texts(town)) < 200 and not sending.done():
            await asyncio.sleep(0)
        (await town._hand_over(order, None)).raise_for_status()
        there = len(texts(town))
        await sending
        return there

    town.carrier.say(ana.number, f"SI {asked.code}", to=town.folder().town.sender.number)
    there = town._run(order_in_the_middle())
    place = next(at for at, row in enumerate(texts(town)) if "REPLIEGUE" in row["text"])
    assert there < BROADCAST
    assert place - there <= IN_FLIGHT
    town.settle()
    assert BROADCAST == claim_texts_of(town, "z-001")
    assert "applied" == town.ruling(order)
    ana.expects_sms("autorizado")
    north.expects_sms("REPLIEGUE", "SALIMOS")
    north.expects_call("REPLIEGUE").presses("6")
    ana.expects_sms("REPLIEGUE completo", "6 personas")
    assert {"cancelled", "done"} == {task["state"] for task in town.tasks()}


def test_who_is_missing_is_rung_again_and_named(town: Town) -> None:
    """A coordinator orders it by SMS with a code; a crew that stays silent is named until it is counted."""
    asked = flood(town)
    asked.replies("SI {code}")
    ana, north = town.phone("ana"), town.phone("brigada-norte")
    ana.expects_sms("autorizado")
    neighbours(town).expects_sms("Salga YA")
    north.says("VOY 6")
    north.expects_sms("van 6")
    asked.replies("Repliegue {code}")
    ana.expects_sms("Repliegue enviado", "Brigada-Norte")
    north.expects_sms("REPLIEGUE").stays_silent()
    north.expects_call("REPLIEGUE").stays_silent()
    town.wait(minutes=2)
    north.expects_call("REPLIEGUE").stays_silent()
    ana.expects_sms("FALTAN Brigada-Norte")
    north.says("ya salimos 5")
    north.expects_sms("5 fuera")
    ana.expects_sms("5 de 6")
    ana.expects_sms("REPLIEGUE completo", "5 personas")
    town.wait(minutes=10)


def test_ordered_again_it_is_said_and_rung_again(town: Town) -> None:
    """Nobody answered the first order to its last ring: the second and the third are heard like the first."""
    flood(town).replies("SI {code}")
    ana, north = town.phone("ana"), town.phone("brigada-norte")
    ana.expects_sms("autorizado")
    neighbours(town).expects_sms("Salga YA")
    north.says("VOY 6")
    north.expects_sms("van 6")
    incident = incident_of(town)["incident_id"]
    for _ in range(3):
        assert "applied" == town.decides("ana", incident, "withdraw")
        north.expects_sms("REPLIEGUE").stays_silent()
        north.expects_call("REPLIEGUE").stays_silent()
        for _ in range(5):
            town.wait(minutes=2)
            north.expects_call("REPLIEGUE").stays_silent()
            ana.expects_sms("FALTAN Brigada-Norte")
    north.says("ya salimos 6")
    north.expects_sms("6 fuera")
    ana.expects_sms("REPLIEGUE completo")


def test_without_open_tasks_every_brigade_is_called_out(town: Town) -> None:
    """Nobody knows who walked in on their own account: all are called, all are counted."""
    flood(town).stays_silent()
    north, south, ana = (town.phone(who) for who in ("brigada-norte", "brigada-sur", "ana"))
    north.says("LISTO")
    north.expects_sms("terminada")
    assert "applied" == town.decides("ana", incident_of(town)["incident_id"], "withdraw")
    for crew in (north, south):
        crew.expects_sms("REPLIEGUE")
        crew.expects_call("REPLIEGUE").presses("3")
    ana.expects_sms("REPLIEGUE completo", "6 personas")


def test_a_brigade_cannot_order_it(town: Town) -> None:
    """The order needs an operator of the town; who is none is told so, and nobody is called."""
    flood(town).stays_silent()
    north = town.phone("brigada-norte")
    north.says("REPLIEGUE")
    north.expects_sms("No se pudo")
