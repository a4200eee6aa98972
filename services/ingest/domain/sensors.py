"""What the town's own list says of a sensor, and whether a source may speak for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from schemas.vocabulary import Property


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

    def believes(self, value: float) -> bool:
        low, high = self.min_plausible, self.max_plausible
        return (low is None or value >= low) and (high is None or value <= high)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The sensors of every town that this deployment serves."""

    towns: Mapping[str, Mapping[str, KnownSensor]] = field(default_factory=dict)

    @staticmethod
    def of(towns: Mapping[str, Iterable[KnownSensor]]) -> Catalogue:
        return Catalogue(
            {town: {sensor.sensor_id: sensor for sensor in rows} for town, rows in towns.items()}
        )

    def serves(self, municipality: str) -> bool:
        return municipality in self.towns

    def find(self, municipality: str, sensor_id: str) -> KnownSensor | None:
        return self.towns.get(municipality, {}).get(sensor_id)


@dataclass(frozen=True, slots=True)
class Scope:
    """For which sensors a source may speak.

    Attributes:
        patterns: Shell patterns over sensor ids, ``"rio-*"``.
        network: Every sensor that the town lists under this network, and sensors that it does not list
            yet: a network installs a gauge before the town hall writes it down, and its readings are
            kept apart for a person instead of being lost.
    """

    patterns: tuple[str, ...] = ()
    network: str | None = None

    def covers(self, sensor_id: str, known: KnownSensor | None) -> bool:
        if any(fnmatchcase(sensor_id, pattern) for pattern in self.patterns):
            return True
        return self.network is not None and (known is None or known.network == self.network)


EVERY_SENSOR = Scope(patterns=("*",))
