"""What stories have in common: how a flood begins, and who is told of it first."""

from __future__ import annotations

from typing import Any

from tests.support.phones import Group, Text
from tests.support.town import Town

LEVEL_3_M = 3.1
SENTENCE = "Salga YA"


def flood(town: Town, *, sites: int = 2, municipality: str | None = None, metres: float = LEVEL_3_M) -> Text:
    """Let the river of z-001 rise to level 3, and return Ana's question of authority."""
    for gauge in ("g-001", "g-001-b")[:sites]:
        town.gauge(gauge, municipality).sends(metres)
    name = town.folder(municipality).town.name
    town.phone("brigada-norte", municipality).expects_sms("Perifonear", name)
    return town.phone("ana", municipality).expects_sms("authority", name)


def incident_of(town: Town, municipality: str | None = None) -> dict[str, Any]:
    """Return the town's only incident."""
    (only,) = town.incidents(municipality)
    return only


def warning_of(town: Town, municipality: str | None = None) -> dict[str, Any]:
    """Return the town's only warning."""
    (only,) = town.warnings(municipality)
    return only


def neighbours(town: Town, zone: str = "z-001", municipality: str | None = None) -> Group:
    """Return the phones of a zone's residents."""
    return town.phones.of(*town.residents(zone, municipality))
