"""The sensors that the municipalities' folders list."""

from __future__ import annotations

from pathlib import Path

from schemas.municipality import FolderErrors, Municipality, load_all
from services.ingest.domain.sensors import Catalogue, KnownSensor
from services.runtime.errors import WrongSetting
from services.runtime.settings import RuntimeSettings


def read_catalogue(settings: RuntimeSettings) -> Catalogue:
    """Return the sensors of every municipality.

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
    return Catalogue.of({town: _sensors(folder) for town, folder in towns.items()})


def _sensors(folder: Municipality) -> list[KnownSensor]:
    return [
        KnownSensor(
            sensor_id=row.sensor_id,
            site=row.site,
            measured=row.property,
            network=row.network,
            min_plausible=row.min_plausible,
            max_plausible=row.max_plausible,
            expected_every_s=row.expected_every_s,
        )
        for row in folder.sensors
    ]
