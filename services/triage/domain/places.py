"""In which zone of the town is it? By id, by point, else by a name that the words hold. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import shapely  # type: ignore[import-untyped]  # it ships no types

from schemas.municipality.places import Zone
from services.triage.domain.spelling import STOP, tokens


@dataclass(frozen=True, slots=True)
class Places:
    """The town's zones, arranged for looking up.

    Attributes:
        shapes: Small zones first: where two lie over each other the nearer one is meant.
        names: Names and aliases by sound, long ones first.
    """

    shapes: Mapping[str, shapely.Polygon] = field(default_factory=dict)
    names: Sequence[tuple[tuple[str, ...], str]] = ()

    def zone_of(self, zone: str | None, lat: float | None, lon: float | None, *words: str) -> str | None:
        """Return the zone, None where neither id nor point nor words say it."""
        if zone is not None and zone in self.shapes:
            return zone
        if lat is not None and lon is not None:
            point = shapely.Point(lon, lat)
            there = next((name for name, shape in self.shapes.items() if shape.covers(point)), None)
            if there is not None:
                return there
        return next((found for text in words if (found := self._named(text)) is not None), None)

    def _named(self, text: str) -> str | None:
        said = [word for word in tokens(text) if word != STOP]
        return next((zone for name, zone in self.names if _holds(said, name)), None)


def places_of(zones: Iterable[Zone]) -> Places:
    """Arrange a folder's zones."""
    shapes = {zone.id: shapely.Polygon(zone.polygon[0], zone.polygon[1:]) for zone in zones}
    names = [
        (tuple(word for word in tokens(name) if word != STOP), zone.id)
        for zone in zones
        for name in (zone.name, *zone.aliases)
    ]
    return Places(
        shapes=dict(sorted(shapes.items(), key=lambda item: (item[1].area, item[0]))),
        names=sorted(names, key=lambda row: (-len(row[0]), row)),
    )


def _holds(words: Sequence[str], name: tuple[str, ...]) -> bool:
    return any(tuple(words[at : at + len(name)]) == name for at in range(len(words) - len(name) + 1))
