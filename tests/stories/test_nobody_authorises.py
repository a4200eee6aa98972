"""Nobody answers in time: a signed resolution lets the warning out, or the next person is woken."""

from collections.abc import Callable
from pathlib import Path

from tests.stories.scenes import flood, neighbours, warning_of
from tests.support.town import Town
from tests.support.towns import change

Write = Callable[..., Path]
Start = Callable[..., Town]


def test_corroborated_warning_goes_out_at_the_right_second(town: Town) -> None:
    """With two sites above the level the town's resolution lets the warning out after 180 s, not before."""
    flood(town).stays_silent()
    town.wait(seconds=179)
    town.phone("ana").expects_call("flood").stays_silent()
    neighbours(town).expects_nothing()
    town.wait(seconds=1)
    neighbours(town).expects_sms("warning", "ALCALDIA DE ALTA", "Zona 001")
    assert {"kind": "safe_release", "instrument": "12-2026"}.items() <= warning_of(town)[
        "authority_of"
    ].items()
    town.wait(hours=1)


def test_one_site_alone_wakes_the_next_person_with_the_reason(town: Town) -> None:
    """Where nobody else confirms it nothing goes out by itself; the next in succession reads why."""
    flood(town, sites=1).stays_silent()
    town.wait(seconds=180)
    town.phone("ana").expects_call("flood").stays_silent()
    beto = town.phone("beto")
    beto.expects_sms("authority", "1 de 2 sitios").stays_silent()
    beto.expects_call("flood").stays_silent()
    neighbours(town).expects_nothing()
    assert "requested" == warning_of(town)["state"]
    town.gauge("g-001-b").sends(3.2)
    neighbours(town).expects_sms("warning")
    town.wait(hours=1)


def test_without_a_resolution_nothing_goes_out(write: Write, start: Start) -> None:
    """No resolution: the question says that silence sends nothing, and keeps its word."""
    town = start(write(safe_release=False))
    flood(town).replies("OK {code}")
    town.wait(minutes=9)
    beto = town.phone("beto")
    beto.expects_sms("Sin respuesta no sale").replies("OK {code}")
    beto.expects_call("flood").stays_silent()
    town.wait(minutes=60)
    town.phone("carla").expects_sms("authority").stays_silent()
    assert "requested" == warning_of(town)["state"]


def test_an_expired_resolution_wakes_the_next_person(write: Write, start: Start) -> None:
    """A resolution that ends before the 180 s are over is none."""
    folder = write()
    change(folder / "alta", "legal.yaml", "2100-01-01T00:00:00-06:00", "2026-05-05T02:01:00-06:00")
    town = start(folder)
    flood(town).stays_silent()
    town.wait(seconds=180)
    town.phone("ana").expects_call("flood").stays_silent()
    beto = town.phone("beto")
    beto.expects_sms("No hay resolución vigente").replies("NO {code}")
    beto.expects_call("flood").stays_silent()
    beto.expects_sms("no sale")
    neighbours(town).expects_nothing()
    assert "rejected" == warning_of(town)["state"]
    town.wait(hours=1)


def test_after_six_questions_the_whole_roster_hears_that_nobody_has_authorised(
    write: Write, start: Start
) -> None:
    """Texts and calls go to everybody at once; who answers is asked that moment, and the warning goes out."""
    town = start(write(safe_release=False, valid_hours=1))
    flood(town).stays_silent()
    town.wait(hours=5, minutes=59)
    roster = [town.phone(person) for person in ("ana", "beto", "carla")]
    for phone in roster:
        phone.slept_through_it()
    town.wait(minutes=2)
    told = [phone.expects_sms("aviso a vecinos NO salio", "6 veces", "nadie respondio") for phone in roster]
    for phone in roster:
        phone.expects_call("nadie respondió").stays_silent()
    town.wait(minutes=10)
    for phone in roster:
        phone.expects_call("nadie respondió").stays_silent()
    neighbours(town).expects_nothing()
    told[2].replies("OK {code}")
    carla = town.phone("carla")
    carla.expects_sms("authority").replies("SI {code}")
    carla.expects_sms("autorizado")
    neighbours(town).expects_sms("Salga YA")
