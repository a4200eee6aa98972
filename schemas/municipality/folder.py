"""A municipality is a folder: read it whole, or say everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from schemas.municipality.duty import Person, Protocols, Resident, Roster
from schemas.municipality.places import Refuge, Sensor, Zone
from schemas.municipality.profile import Profile
from schemas.municipality.rulebook import Rulebook
from schemas.municipality.town import Legal, Operator, Town


@dataclass(frozen=True)
class Municipality:
    """All that a town has written down.

    Attributes:
        folder_hash: SHA-256 of the files that carry authority; what ``municipality.activated`` publishes.
        rulebook_version: First 12 hexadecimal digits of the SHA-256 of ``rulebook.yaml``.
    """

    town: Town
    legal: Legal
    operators: tuple[Operator, ...]
    zones: tuple[Zone, ...]
    refuges: tuple[Refuge, ...]
    sensors: tuple[Sensor, ...]
    rulebook: Rulebook
    protocols: Protocols
    directory: tuple[Person, ...]
    rosters: tuple[Roster, ...]
    residents: tuple[Resident, ...]
    profiles: Mapping[str, Profile]
    folder_hash: str
    rulebook_version: str

    @property
    def id(self) -> str:
        return self.town.id

    @cached_property
    def zone_info(self) -> ZoneInfo:
        return ZoneInfo(self.town.time_zone)

    def local(self, at: datetime) -> datetime:
        """Return the moment as the town's wall clocks show it."""
        return at.astimezone(self.zone_info)

    @cached_property
    def zone_of(self) -> Mapping[str, Zone]:
        return {zone.id: zone for zone in self.zones}

    @cached_property
    def refuge_of(self) -> Mapping[str, Refuge]:
        return {refuge.id: refuge for refuge in self.refuges}

    @cached_property
    def sensor_of(self) -> Mapping[str, Sensor]:
        return {sensor.sensor_id: sensor for sensor in self.sensors}

    @cached_property
    def operator_of(self) -> Mapping[str, Operator]:
        return {operator.id: operator for operator in self.operators}

    @cached_property
    def person_of(self) -> Mapping[str, Person]:
        return {person.person_id: person for person in self.directory}

    @cached_property
    def roster_of(self) -> Mapping[str, Roster]:
        return {roster.id: roster for roster in self.rosters}


def load_folder(
    path: Path, *, keys_dir: Path | None = None, environment: str = "development"
) -> Municipality:
    """Read and check a municipality's folder.

    ``keys_dir``: where ``operators/<id>.pub`` lie; without it operators of ``public_key_file`` have no key.

    Raises:
        FolderErrors: Every fault, each with file, line, field and reason.
    """
    raise NotImplementedError


def load_all(
    directory: Path, *, keys_dir: Path | None = None, environment: str = "development"
) -> dict[str, Municipality]:
    """Read every municipality under ``directory``, by id; a folder without ``municipality.yaml`` is none."""
    raise NotImplementedError


def load_profile(path: Path) -> Profile:
    """Read one ``profiles/*.yaml``; raises FolderErrors."""
    raise NotImplementedError
