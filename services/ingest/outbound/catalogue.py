"""The sensors and zones that the municipalities' folders list."""

from __future__ import annotations

from pathlib import Path

from schemas.municipality import FolderErrors, Municipality, load_all
from services.ingest.domain.sensors import Catalogue, KnownSensor
from services.ingest.domain.zones import Zones
from services.runtime.errors import WrongSetting
from services.runtime.settings import RuntimeSettings


def read_catalogue(settings: RuntimeSettings) -> Catalogue:
    """Return the sensors and zones of every municipality.

    Raises:
        WrongSetting: A folder cannot be used; the message names its first fault.
    """
    directory = Path(settings.municipalities_dir)
    try:
        towns = load_all(directory, environment=settings.environment)
    except FolderErrors as err:
        faults = f"{len(err.errors)} fault(s), first: " if len(err.errors) > 1 else ""
        raise WrongSetting(f"MUNICIPIO_MUNICIPALITIES_DIR: {faults}{err.errors[0]}") from err
    except OSError as err:
        why = f"{directory} cannot be read: {err.strerror}"
        raise WrongSetting(f"MUNICIPIO_MUNICIPALITIES_DIR: {why}") from err
    return Catalogue.of(
        {town: _sensors(folder) for town, folder in towns.items()},
        {town: _zones(folder) for town, folder in towns.items()},
    )


def _sensors(folder: Municipality) -> list[KnownSensor]:
    return [KnownSensor.listed(row) for row in folder.sensors]


def _zones(folder: Municipality) -> Zones:
    return Zones.of({zone.id: (zone.name, *zone.aliases) for zone in folder.zones})
