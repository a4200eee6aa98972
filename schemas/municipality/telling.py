"""The words of a rule, as a coordinator would say them. Texts stand in ``texts/es.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import cache
from importlib.resources import files
from typing import Any, Final

from schemas.municipality.places import Sensor, Zone
from schemas.municipality.town import Town
from schemas.vocabulary import Hazard, Level

_DECIMALS: Final = {"m": 2}
"""A gauge is read to the centimetre; what has no number here is written as short as it is."""


@cache
def _texts() -> dict[str, Any]:
    written = files("schemas.municipality").joinpath("texts", "es.toml").read_text(encoding="utf-8")
    return tomllib.loads(written)


def text(code: str, **words: object) -> str:
    """Return the text ``code`` with its words filled in."""
    here: Any = _texts()
    for part in code.split("."):
        here = here[part]
    return str(here).format(**words)


@dataclass(frozen=True)
class Telling:
    """What the words of a town's rules are filled with.

    Attributes:
        names: Of operators and of the people of the directory.
        judged: Per hazard, the sensors whose values a rule judges.
    """

    town: Town
    time_zone: tzinfo
    sensors: Mapping[str, Sensor]
    zones: Mapping[str, Zone]
    names: Mapping[str, str]
    judged: Mapping[Hazard, tuple[str, ...]]

    def source(self, sensor_id: str, zone_ids: Iterable[str]) -> str:
        """Say where the sensor stands and for whom it decides."""
        sensor = self.sensors[sensor_id]
        code = "source.river" if sensor.river else "source.sensor"
        where = text(code, sensor=sensor_id, site=sensor.site, river=sensor.river)
        return f"{where} {text('source.zones', zones=self.people(zone_ids))}"

    def measure(self, sensor_id: str, unit: str, datum: str) -> str:
        """Say what it measures, how often and from which zero."""
        sensor = self.sensors[sensor_id]
        said = text(
            "source.measure",
            what=text(f"measures.{sensor.property.value}"),
            unit=_unit("long", unit),
            every=span(timedelta(seconds=sensor.expected_every_s)),
        )
        return f"{said} {text('source.datum', datum=datum)}" if datum else said

    def people(self, zone_ids: Iterable[str]) -> str:
        """Name zones with those who live there."""
        zones = (self.zones[zone] for zone in zone_ids)
        return in_a_row(text("source.people", zone=zone.name, people=zone.population) for zone in zones)

    def at_sites(self, sensor_ids: Iterable[str]) -> str:
        """Name sensors with the sites where they stand."""
        return in_a_row(f"{each} ({self.sensors[each].site})" for each in sensor_ids)

    def zone_names(self, zone_ids: Iterable[str]) -> str:
        return in_a_row(self.zones[zone].name for zone in zone_ids)

    def level(self, level: Level) -> str:
        return f"nivel {int(level)} ({self.town.label(level)})"

    def name(self, someone: str) -> str:
        return self.names.get(someone, someone)

    def moment(self, at: datetime) -> str:
        """Write a day by the town's own clocks, with its hour unless it is midnight."""
        local = at.astimezone(self.time_zone)
        month = _texts()["date"]["months"][local.month - 1]
        date = text("date.day", day=local.day, month=month, year=local.year)
        midnight = (local.hour, local.minute) == (0, 0)
        return date if midnight else text("date.hour", date=date, hour=local.strftime("%H:%M"))


def amount(value: float, unit: str) -> str:
    """Write a value as people here write it: ``3,00 m``."""
    digits = _DECIMALS.get(unit)
    written = (
        f"{value:.{digits}f}" if digits is not None and round(value, digits) == value else f"{value:.10g}"
    )
    return f"{written.replace('.', ',')} {_unit('short', unit)}"


def span(length: timedelta) -> str:
    """Write a duration: ``1 h 30 min``."""
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48 and not (hours % 24 or minutes or seconds):
        return text("span.days", n=hours // 24)
    counts = (("hours", hours), ("minutes", minutes), ("seconds", seconds))
    return " ".join(text(f"span.{name}", n=n) for name, n in counts if n) or text("span.seconds", n=0)


def in_a_row(words: Iterable[str]) -> str:
    """Join words as they are said: ``La Vega, El Centro y San José``."""
    *first, last = list(words) or [text("words.nobody")]
    return f"{', '.join(first)} {text('words.and')} {last}" if first else last


def _unit(form: str, unit: str) -> str:
    return str(_texts()["unit"][form].get(unit, unit))
