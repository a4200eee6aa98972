"""The names of a town's zones, as people write them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Zones:
    """Ids, names and aliases, in small letters, and the zone that each one means."""

    zone_of: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def of(names: Mapping[str, tuple[str, ...]]) -> Zones:
        """Arrange names and aliases by zone id."""
        return Zones({name.casefold(): zone for zone, many in names.items() for name in (*many, zone)})

    def find(self, written: str) -> str | None:
        """Return the zone of an id, a name or an alias."""
        return self.zone_of.get(written.strip().casefold())
