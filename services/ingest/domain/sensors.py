"""What the town's own list says of a sensor, and whether a source may speak for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from schemas.municipality.places import Sensor
from schemas.vocabulary import Property
from services.ingest.domain.zones import Zones


@dataclass(frozen=True, slots=True)
class KnownSensor:
    """One row of ``sensors.csv``, as far as ingest needs it.

    Attributes:
        min_plausible: In the canonical unit of ``measured``; None where the town set no limit.
        expected_every_s: How often it should speak.
    """

    sensor_id: str
    site: str
    measured: Property
    network: str = ""
    min_plausible: float | None = None
    max_plausible: float | None = None
    expected_every_s: float | None = None

    @staticmethod
    def listed(row: Sensor) -> KnownSensor:
        """Return what a row of ``sensors.csv`` says."""
        return KnownSensor(
            sensor_id=row.sensor_id,
            site=row.site,
            measured=row.property,
            network=row.network,
            min_plausible=row.min_plausible,
            max_plausible=row.max_plausible,
            expected_every_s=row.expected_every_s,
        )

    def believes(self, value: float) -> bool:
        low, high = self.min_plausible, self.max_plausible
        return (low is None or value >= low) and (high is None or value <= high)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The sensors and zones of every town that this deployment serves."""

    towns: Mapping[str, Mapping[str, KnownSensor]] = field(default_factory=dict)
    zones: Mapping[str, Zones] = field(default_factory=dict)

    @staticmethod
    def of(towns: Mapping[str, Iterable[KnownSensor]], zones: Mapping[str, Zones] | None = None) -> Catalogue:
        sensors = {town: {sensor.sensor_id: sensor for sensor in rows} for town, rows in towns.items()}
        return Catalogue(sensors, zones or {})

    def serves(self, municipality: str) -> bool:
        return municipality in self.towns

    def zones_of(self, municipality: str) -> Zones:
        return self.zones.get(municipality, Zones())

    def find(self, municipality: str, sensor_id: str) -> KnownSensor | None:
        return self.towns.get(municipality, {}).get(sensor_id)


@dataclass(frozen=True, slots=True)
class Scope:
    """For what a source may speak: for sensors, or for people who report.

    Attributes:
        patterns: Shell patterns over sensor ids, ``"rio-*"``.
        network: Every sensor that the town lists under this network, and sensors that it does not list
            yet: a network installs a gauge before the town hall writes it down, and its readings are
            kept apart for a person instead of being lost.
        reports: It may hand over what people report, by any channel: 911, a radio, the town's own form.
    """

    patterns: tuple[str, ...] = ()
    network: str | None = None
    reports: bool = False

    def covers(self, sensor_id: str, known: KnownSensor | None) -> bool:
        if "*" in self.patterns or any(fnmatchcase(sensor_id, pattern) for pattern in self.patterns):
            return True
        return self.network is not None and (known is None or known.network == self.network)


EVERY_SENSOR = Scope(patterns=("*",))
