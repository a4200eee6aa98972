"""A municipality is a folder: read it whole, or say everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from schemas.municipality.check import check_draft, remark_draft
from schemas.municipality.datum import as_it_holds
from schemas.municipality.document import Placed, place
from schemas.municipality.draft import Draft, read_draft
from schemas.municipality.duty import Person, Protocols, Resident, Roster
from schemas.municipality.errors import FolderError, FolderErrors
from schemas.municipality.files import document_of
from schemas.municipality.places import Refuge, Sensor, Zone
from schemas.municipality.profile import Profile
from schemas.municipality.rulebook import Rulebook
from schemas.municipality.town import Legal, Operator, Town, public_key


@dataclass(frozen=True)
class Municipality:
    """All that a town has written down.

    Attributes:
        rulebook: Each row with the dates between which it decides: see ``datum.py``.
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
    path: Path,
    *,
    keys_dir: Path | None = None,
    environment: str = "development",
    rulebook: Path | None = None,
) -> Municipality:
    """Read and check a municipality's folder.

    ``keys_dir``: where ``operators/<id>.pub`` lie; without it operators of ``public_key_file`` have no key.
    ``rulebook``: a file that stands in for the folder's own, for a backtest.

    Raises:
        FolderErrors: Every fault, each with file, line, field and reason.
    """
    draft = read_draft(path, rulebook=rulebook)
    operators, errors = _checked(draft, keys_dir, environment)
    if errors or draft.town is None or draft.legal is None:
        raise FolderErrors(sorted(errors))
    sensors = {placed.value.sensor_id: placed.value for placed in draft.sensors}
    return Municipality(
        town=draft.town.value,
        legal=draft.legal.value,
        operators=operators,
        zones=tuple(placed.value.zone() for placed in draft.zones),
        refuges=tuple(placed.value.refuge() for placed in draft.refuges),
        sensors=tuple(sensors.values()),
        rulebook=Rulebook(rules=tuple(as_it_holds(placed.value, sensors) for placed in draft.rules)),
        protocols=Protocols(protocols=tuple(placed.value for placed in draft.protocols)),
        directory=tuple(placed.value for placed in draft.directory),
        rosters=tuple(placed.value for placed in draft.rosters),
        residents=tuple(placed.value for placed in draft.residents),
        profiles={placed.value.id: placed.value for placed in draft.profiles},
        folder_hash=draft.folder_hash(),
        rulebook_version=draft.rulebook_version(),
    )


def review_folder(
    path: Path,
    *,
    keys_dir: Path | None = None,
    environment: str = "development",
    rulebook: Path | None = None,
) -> tuple[FolderError, ...]:
    """Return every fault of a folder, or what somebody should look at where there is none."""
    draft = read_draft(path, rulebook=rulebook)
    _, errors = _checked(draft, keys_dir, environment)
    return tuple(sorted(errors or remark_draft(draft)))


def load_all(
    directory: Path, *, keys_dir: Path | None = None, environment: str = "development"
) -> dict[str, Municipality]:
    """Read every municipality under ``directory``, by id; a folder without ``municipality.yaml`` is none.

    Raises:
        FolderErrors: What is wrong with any of them, or there is none.
    """
    folders = sorted(file.parent for file in directory.glob("*/municipality.yaml"))
    if not folders:
        raise FolderErrors([FolderError(str(directory), 1, "folder", "holds no municipality")])
    loaded: dict[str, Municipality] = {}
    errors: list[FolderError] = []
    for folder in folders:
        try:
            loaded[folder.name] = load_folder(folder, keys_dir=keys_dir, environment=environment)
        except FolderErrors as err:
            errors.extend(err.errors)
    if errors:
        raise FolderErrors(errors)
    return loaded


def load_profile(path: Path) -> Profile:
    """Read one ``profiles/*.yaml``; its sensors are not checked here.

    Raises:
        FolderErrors: It cannot be read or does not make sense.
    """
    try:
        document = document_of(str(path), path.read_bytes())
    except OSError as err:
        reason = f"cannot be read: {(err.strerror or 'unknown error').lower()}"
        raise FolderErrors([FolderError(str(path), 1, "file", reason)]) from err
    errors = list(document.faults)
    placed = place(Profile, document, (), errors)
    if errors or placed is None:
        raise FolderErrors(errors)
    return placed.value


def _checked(
    draft: Draft, keys_dir: Path | None, environment: str
) -> tuple[tuple[Operator, ...], set[FolderError]]:
    errors = check_draft(draft, environment)
    return tuple(_with_key(placed, keys_dir, errors) for placed in draft.operators), errors


def _with_key(placed: Placed[Operator], keys_dir: Path | None, errors: set[FolderError]) -> Operator:
    operator = placed.value
    if operator.public_key is not None or operator.public_key_file is None or keys_dir is None:
        return operator
    path = keys_dir / "operators" / operator.public_key_file
    try:
        return operator.model_copy(update={"public_key": public_key(path.read_text().strip())})
    except (OSError, ValueError) as err:
        why = "does not exist; keys are made at setup" if isinstance(err, FileNotFoundError) else str(err)
        errors.add(placed.fault(("public_key_file",), f"{path} {why}"))
        return operator
