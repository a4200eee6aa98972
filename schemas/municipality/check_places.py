"""What zones, refuges, sensors and profiles can say that does not fit together."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.municipality.document import Placed
from schemas.municipality.draft import Draft
from schemas.municipality.errors import FolderError
from schemas.municipality.geojson import ZoneFeature
from schemas.municipality.places import CANONICAL_UNIT, Sensor
from schemas.municipality.profile import Profile


def check_places(draft: Draft) -> Iterator[FolderError]:
    refuges = {placed.value.properties.id for placed in draft.refuges}
    sensors = {placed.value.sensor_id: placed.value for placed in draft.sensors}
    for zone in draft.zones:
        yield from _zone(zone, refuges)
    for sensor in draft.sensors:
        yield from _sensor(sensor, sensors)
    for profile in draft.profiles:
        yield from _profile(profile, sensors)


def _zone(zone: Placed[ZoneFeature], refuges: set[str]) -> Iterator[FolderError]:
    facts = zone.value.properties
    if facts.refuge not in refuges:
        reason = f"{facts.refuge} is not a refuge of refuges.geojson"
        yield zone.fault(("properties", "refuge"), reason)
    if facts.households > facts.population:
        reason = f"{facts.households} households cannot hold {facts.population} people"
        yield zone.fault(("properties", "households"), reason)
    for index, ring in enumerate(zone.value.geometry.coordinates):
        if ring[0] != ring[-1]:
            reason = "is not closed: the last point must be the first one again"
            yield zone.fault(("geometry", "coordinates", index), reason)


def _sensor(sensor: Placed[Sensor], sensors: dict[str, Sensor]) -> Iterator[FolderError]:
    row = sensor.value
    expected = CANONICAL_UNIT.get(row.property)
    if expected is not None and row.unit != expected:
        reason = f"{row.unit!r} is not the unit of {row.property.value}: expected {expected!r}"
        yield sensor.fault(("unit",), reason)
    if row.min_plausible >= row.max_plausible:
        yield sensor.fault(("max_plausible",), f"must be above min_plausible {row.min_plausible}")
    if row.upstream_of is not None and row.upstream_of not in sensors:
        yield sensor.fault(("upstream_of",), f"{row.upstream_of} is not a sensor of this file")
    if row.upstream_of == row.sensor_id:
        yield sensor.fault(("upstream_of",), "is the sensor itself")


def _profile(profile: Placed[Profile], sensors: dict[str, Sensor]) -> Iterator[FolderError]:
    row = profile.value
    if row.sensor is None and row.sensor_column is None:
        yield profile.fault(("sensor",), "is required where there is no sensor_column")
    for name in ("property", "unit"):
        if getattr(row, name) is None and getattr(row, f"{name}_column") is None:
            yield profile.fault((name,), f"is required where there is no {name}_column")
    if row.sensor is not None and row.sensor not in sensors:
        yield profile.fault(("sensor",), f"{row.sensor} is not a sensor of sensors.csv")
    for theirs, ours in row.sensors.items():
        if ours not in sensors:
            yield profile.fault(("sensors", theirs), f"{ours} is not a sensor of sensors.csv")
    for name in ("observed_at", "received_at"):
        column = getattr(row, name)
        if column is not None and column.format and "%z" not in column.format and column.time_zone is None:
            yield profile.fault((name, "time_zone"), "is required: the format has no offset")
