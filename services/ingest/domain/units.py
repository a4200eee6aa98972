"""Turn a measured value into the one unit in which its property is stored and judged. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from schemas.municipality.places import CANONICAL_UNIT as CANONICAL
from schemas.vocabulary import Property

__all__ = ["CANONICAL", "CANONICALLY", "Conversion", "conversion", "units_of"]


@dataclass(frozen=True, slots=True)
class Conversion:
    """``canonical = (value + shift) * factor``, in decimals, so that 250 cm are 2.5 m and not a hair more."""

    factor: Decimal = Decimal(1)
    shift: Decimal = Decimal(0)

    def apply(self, value: float) -> float:
        if self.factor == 1 and self.shift == 0:
            return value
        return float((Decimal(repr(value)) + self.shift) * self.factor)


CANONICALLY: Final = Conversion()
"""The value stands in the canonical unit already."""


def _by(factor: str, shift: str = "0") -> Conversion:
    return Conversion(Decimal(factor), Decimal(shift))


_LENGTH_M: Final = {
    "m": _by("1"),
    "dm": _by("0.1"),
    "cm": _by("0.01"),
    "mm": _by("0.001"),
    "km": _by("1000"),
    "[ft_i]": _by("0.3048"),
    "[in_i]": _by("0.0254"),
}
_FLOW_M3_S: Final = {
    "m3/s": _by("1"),
    "L/s": _by("0.001"),
    "l/s": _by("0.001"),
    "m3/h": Conversion(Decimal(1) / Decimal(3600)),
    "[cft_i]/s": _by("0.028316846592"),
    "[ft_i]3/s": _by("0.028316846592"),
}
_DEPTH_MM: Final = {
    "mm": _by("1"),
    "cm": _by("10"),
    "m": _by("1000"),
    "L/m2": _by("1"),
    "[in_i]": _by("25.4"),
}
_DUST_UG_M3: Final = {"ug/m3": _by("1"), "mg/m3": _by("1000"), "ng/m3": _by("0.001")}
_ANGLE_DEG: Final = {
    "deg": _by("1"),
    "'": Conversion(Decimal(1) / Decimal(60)),
    "rad": _by("57.29577951308232"),
}
_HEAT_CEL: Final = {
    "Cel": _by("1"),
    "K": _by("1", "-273.15"),
    "[degF]": Conversion(Decimal(5) / Decimal(9), Decimal(-32)),
}
_CHARGE_V: Final = {"V": _by("1"), "mV": _by("0.001")}

_TABLES: Final[dict[Property, dict[str, Conversion]]] = {
    Property.RIVER_LEVEL: _LENGTH_M,
    Property.RIVER_FLOW: _FLOW_M3_S,
    Property.RAIN: _DEPTH_MM,
    Property.PM25: _DUST_UG_M3,
    Property.TILT: _ANGLE_DEG,
    Property.TEMPERATURE: _HEAT_CEL,
    Property.BATTERY: _CHARGE_V,
}
# What gauges and spreadsheets really write, beside the UCUM code that is meant.
_SPELLINGS: Final = {
    "ft": "[ft_i]",
    "in": "[in_i]",
    "ft3/s": "[cft_i]/s",
    "cfs": "[cft_i]/s",
    "µg/m3": "ug/m3",
}


def conversion(measured: Property, unit: str) -> Conversion | None:
    """Return how ``unit`` becomes the canonical unit of ``measured``; None where it is of another kind."""
    return _TABLES[measured].get(_SPELLINGS.get(unit, unit))


def units_of(measured: Property) -> tuple[str, ...]:
    """Return the units in which ``measured`` may arrive, for the message that refuses another."""
    return tuple(_TABLES[measured])
