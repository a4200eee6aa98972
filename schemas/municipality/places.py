"""``zones.geojson``, ``refuges.geojson`` and ``sensors.csv``: where people live, go and are measured for."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from schemas.municipality.base import KnownProperty, Line, Mark, Slug, When, Written
from schemas.vocabulary import Property

CANONICAL_UNIT: Final[dict[Property, str]] = {
    Property.RIVER_LEVEL: "m",
    Property.RIVER_FLOW: "m3/s",
    Property.RAIN: "mm",
    Property.PM25: "ug/m3",
    Property.TILT: "deg",
    Property.TEMPERATURE: "Cel",
    Property.BATTERY: "V",
}
"""UCUM code per property: what events and rules speak, whatever a network sends."""

Longitude = Annotated[float, Field(ge=-180, le=180)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Ring = Annotated[tuple[tuple[Longitude, Latitude], ...], Field(min_length=4)]


class ZoneFacts(Written):
    """What is known of a zone beside its shape.

    Attributes:
        name: As people say it; it stands in the text that they get.
        aliases: Other names that people use.
        population, households, source, year: The denominator of every reach, and where it comes from.
        refuge: Where to go, id in ``refuges.geojson``.
        walking_min: Minutes on foot from the far end of the zone.
        route: The way as people say it: ``Calle 3``. Must not cross water.
        impact: What the danger does here: ``Agua de 1 m en 40 min``.
    """

    id: Slug
    name: Annotated[str, Field(min_length=1, max_length=40)]
    aliases: tuple[Line, ...] = ()
    population: Annotated[int, Field(ge=0)]
    households: Annotated[int, Field(ge=0)]
    source: Line
    year: Annotated[int, Field(ge=1900, le=2200)]
    refuge: Slug
    walking_min: Annotated[int, Field(ge=0, le=600)]
    route: Annotated[str, Field(max_length=40)] = ""
    impact: Annotated[str, Field(max_length=80)] = ""


class Zone(ZoneFacts):
    """A part of town that is warned as a whole.

    Attributes:
        polygon: Rings of longitude and latitude, the first one outside, each closed.
    """

    polygon: Annotated[tuple[Ring, ...], Field(min_length=1)]


class RefugeFacts(Written):
    id: Slug
    name: Annotated[str, Field(min_length=1, max_length=40)]
    capacity: Annotated[int, Field(ge=0)]


class Refuge(RefugeFacts):
    """A place that takes people in."""

    lon: Longitude
    lat: Latitude


class Sensor(Written):
    """One row of ``sensors.csv``: one property measured at one site.

    Attributes:
        site: Mast, bridge or roof; sensors of one site share its fate, and are one source.
        unit: The canonical unit of the property; what the network sends is converted on the way in.
        datum: What zero stands for. A threshold of another datum is another threshold.
        datum_since: When the sensor began to measure from it. A rule of another zero holds only until then,
            one of this zero only from then on.
        min_plausible, max_plausible: Outside of it a value is kept as ``suspect`` and decides nothing.
        expected_every_s: The rhythm in which it reports.
        upstream_of: The sensor that the water reaches next, ``travel_min`` later.
        network: Whose it is.
    """

    sensor_id: Slug
    site: Slug
    property: KnownProperty
    unit: Annotated[str, Field(min_length=1, max_length=16)]
    datum: Mark = ""
    river: Mark = ""
    lat: Latitude
    lon: Longitude
    min_plausible: float
    max_plausible: float
    expected_every_s: Annotated[int, Field(ge=1, le=86_400)]
    upstream_of: Slug | None = None
    travel_min: Annotated[int | None, Field(ge=0)] = None
    network: Mark = ""
    datum_since: When | None = None
