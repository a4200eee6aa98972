"""Acceptance story V1 on the example town: the river that rises at 02:40, as far as one signature reaches."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.stories.scenes import incident_of, warning_of
from tests.support.phones import Phone
from tests.support.town import Town

EXAMPLE = Path(__file__).parents[2] / "deploy" / "municipalities" / "ejemplo"
AT_0235 = datetime(2026, 5, 5, 8, 35, tzinfo=UTC)  # 02:35 in El Salvador
QUIET_M = {"rc-arriba": 1.5, "rc-mercado": 1.0, "rc-sanjose": 1.0}
HIGH_M = {"rc-puente": 3.2, "rc-vado": 3.1}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Town]]:
    shutil.copytree(EXAMPLE, tmp_path / "municipalities" / "ejemplo")
    with Town(tmp_path / "data", tmp_path / "municipalities", at=AT_0235) as deployment:
        yield deployment


town = start


def river_rises(town: Town, *, at_the_ford: bool) -> None:
    """02:35 2.93 m, 02:40 3.02 m, 02:45 3.11 m at the bridge; at the ford as much, where it is confirmed."""
    for place, metres in enumerate((2.93, 3.02, 3.11)):
        if place:
            town.wait(minutes=5)
        for quiet, low in QUIET_M.items():
            town.gauge(quiet).sends(low)
        if at_the_ford:
            town.gauge("rc-vado").sends(metres - 0.05)
        town.gauge("rc-puente").sends(metres)


def say_who_hears_of_level_2(town: Town) -> None:
    town.phone("ana").expects_sms("flood", "Preparación").stays_silent()
    town.phone("ana").expects_call("Preparación").stays_silent()
    _arrives(town.phone("brigada-norte"), "desagües")


def say_who_hears_of_level_3(town: Town) -> None:
    _arrives(town.phone("brigada-norte"), "megáfono en la zona")
    _arrives(town.phone("brigada-sur"), "Abrir el refugio")


def night_goes_on(town: Town, *, hours: float) -> None:
    """Let every gauge report until then; the river stays high."""
    for _ in range(int(hours * 2)):
        town.wait(minutes=30)
        for gauge, metres in (QUIET_M | HIGH_M).items():
            town.gauge(gauge).sends(metres)


def test_a_confirmed_night_is_released_renewed_and_never_lifted(town: Town) -> None:
    """Nobody answers: La Vega alone is warned, at the right second, until a person ends it."""
    river_rises(town, at_the_ford=True)
    say_who_hears_of_level_2(town)
    say_who_hears_of_level_3(town)
    ana = town.phone("ana")
    ana.expects_sms("authority", "Acción").stays_silent()
    town.wait(minutes=2)
    ana.expects_call("flood").stays_silent()
    town.wait(seconds=59)
    la_vega = town.phones.of(*town.residents("la-vega"))
    la_vega.expects_nothing()
    town.wait(seconds=1)
    la_vega.expects_sms("warning", "La Vega", "Hasta 06:45")
    ledger = warning_of(town)["ledger"]
    assert ledger is not None
    night_goes_on(town, hours=3.5)
    for person in ("beto", "ana", "carla"):
        town.phone(person).expects_sms("vence 06:45", "10:45").stays_silent()
    night_goes_on(town, hours=0.5)
    la_vega.expects_sms("sigue el aviso", "Hasta 10:45")
    assert ("authorised", 3) == (warning_of(town)["state"], incident_of(town)["level"])


def test_the_same_night_unconfirmed_is_not_released(town: Town) -> None:
    """Without the second gauge nothing leaves by itself: Beto is woken at 02:48 and reads why."""
    river_rises(town, at_the_ford=False)
    say_who_hears_of_level_2(town)
    say_who_hears_of_level_3(town)
    town.phone("ana").expects_sms("authority", "Acción").stays_silent()
    town.wait(minutes=3)
    town.phone("ana").expects_call("flood").stays_silent()
    beto = town.phone("beto")
    beto.expects_call("flood").stays_silent()
    beto.expects_sms("authority", "1 de 2 sitios").replies("SI {code}")
    beto.expects_sms("autorizado")
    town.phones.of(*town.residents("la-vega")).expects_sms("warning", "La Vega")
    town.wait(hours=1)


def _arrives(crew: Phone, task: str) -> None:
    """Let a crew go where it is asked to, and say that it is there."""
    asked = crew.expects_sms(task)
    asked.replies("OK {code}")
    asked.replies("LLEGUE {code}")
    crew.expects_sms("en el lugar")
