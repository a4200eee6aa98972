"""A folder as far as it can be understood: every part that could be read, with its place."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel

from schemas.municipality.document import Document, Placed, place, place_each, shown
from schemas.municipality.duty import Person, Protocol, Resident, Roster
from schemas.municipality.errors import FolderError, FolderErrors
from schemas.municipality.files import MAX_FILE_BYTES, MAX_ROWS, document_of
from schemas.municipality.geojson import RefugeFeature, ZoneFeature
from schemas.municipality.places import Sensor
from schemas.municipality.profile import Profile
from schemas.municipality.rulebook import KINDS, Rule
from schemas.municipality.town import Legal, Operator, Town

M = TypeVar("M", bound=BaseModel)

RULEBOOK: Final = "rulebook.yaml"
REQUIRED: Final = (
    "municipality.yaml",
    "legal.yaml",
    "operators.yaml",
    "zones.geojson",
    "refuges.geojson",
    "sensors.csv",
    RULEBOOK,
    "protocols.yaml",
    "directory.csv",
    "shifts.yaml",
)
RESIDENTS: Final = "residents.csv"
MAX_ITEMS: Final = 5_000
MAX_PROFILES: Final = 200


@dataclass
class Draft:
    """What was read, and what was wrong so far. A part that is ``None`` or missing is in ``errors``.

    ``unread_rules``: how many rules are written and could not be understood.
    """

    folder: Path
    files: Mapping[str, bytes]
    paths: Mapping[str, Path]
    errors: list[FolderError] = field(default_factory=list)
    town: Placed[Town] | None = None
    legal: Placed[Legal] | None = None
    operators: list[Placed[Operator]] = field(default_factory=list)
    zones: list[Placed[ZoneFeature]] = field(default_factory=list)
    refuges: list[Placed[RefugeFeature]] = field(default_factory=list)
    sensors: list[Placed[Sensor]] = field(default_factory=list)
    rules: list[Placed[Rule]] = field(default_factory=list)
    unread_rules: int = 0
    protocols: list[Placed[Protocol]] = field(default_factory=list)
    directory: list[Placed[Person]] = field(default_factory=list)
    rosters: list[Placed[Roster]] = field(default_factory=list)
    residents: list[Placed[Resident]] = field(default_factory=list)
    profiles: list[Placed[Profile]] = field(default_factory=list)

    def document(self, name: str) -> Document | None:
        """Read one file of the folder; what is wrong with it goes to ``errors``."""
        if name not in self.files:
            return None
        try:
            document = document_of(str(self.paths[name]), self.files[name])
        except FolderErrors as err:
            self.errors.extend(err.errors)
            return None
        self.errors.extend(document.faults)
        return document

    def one(self, name: str, model: type[M]) -> Placed[M] | None:
        document = self.document(name)
        return None if document is None else place(model, document, (), self.errors)

    def each(self, name: str, model: type[M], key: str | None = None) -> list[Placed[M]]:
        """Read the items of a file: the list under its only key, or the rows of a table."""
        document = self.document(name)
        if document is None:
            return []
        if key is None:
            return place_each(model, document, (), self.errors, most=MAX_ROWS)
        self.refuse_other_keys(document, key)
        return place_each(model, document, (key,), self.errors, most=MAX_ITEMS)

    def refuse_other_keys(self, document: Document, key: str) -> None:
        if isinstance(document.content, dict) and not document.file.endswith(".geojson"):
            others = [name for name in document.content if name != key]
            reason = f"is not a field of this file; expected {key}"
            self.errors.extend(document.fault((name,), reason) for name in others)

    def folder_hash(self) -> str:
        """Return the SHA-256 over names and bytes, in the order of the names.

        Only what the town must have signed: not the residents, who come and go by themselves.
        """
        digest = hashlib.sha256()
        for name in sorted(set(self.files) - {RESIDENTS}):
            for part in (name.encode(), self.files[name]):
                digest.update(len(part).to_bytes(8, "big") + part)
        return digest.hexdigest()

    def rulebook_version(self) -> str:
        return hashlib.sha256(self.files.get(RULEBOOK, b"")).hexdigest()[:12]


def read_draft(folder: Path, *, rulebook: Path | None = None) -> Draft:
    """Read every file of the folder; ``rulebook`` stands in for the folder's own."""
    paths = _paths(folder, rulebook)
    errors: list[FolderError] = []
    draft = Draft(folder, _read(paths, errors), paths, errors)
    draft.town = draft.one("municipality.yaml", Town)
    draft.legal = draft.one("legal.yaml", Legal)
    draft.operators = draft.each("operators.yaml", Operator, "operators")
    draft.zones = draft.each("zones.geojson", ZoneFeature, "features")
    draft.refuges = draft.each("refuges.geojson", RefugeFeature, "features")
    draft.sensors = draft.each("sensors.csv", Sensor)
    _read_rules(draft)
    draft.protocols = draft.each("protocols.yaml", Protocol, "protocols")
    draft.directory = draft.each("directory.csv", Person)
    draft.rosters = draft.each("shifts.yaml", Roster, "rosters")
    draft.residents = draft.each(RESIDENTS, Resident)
    names = [name for name in draft.files if name.startswith("profiles/")]
    profiles = [draft.one(name, Profile) for name in names]
    draft.profiles = [profile for profile in profiles if profile is not None]
    return draft


def _paths(folder: Path, rulebook: Path | None) -> dict[str, Path]:
    paths = {name: folder / name for name in REQUIRED}
    if rulebook is not None:
        paths[RULEBOOK] = rulebook
    if (folder / RESIDENTS).exists():
        paths[RESIDENTS] = folder / RESIDENTS
    profiles = sorted((folder / "profiles").glob("*.yaml"))[:MAX_PROFILES]
    return paths | {f"profiles/{path.name}": path for path in profiles}


def _read(paths: Mapping[str, Path], errors: list[FolderError]) -> dict[str, bytes]:
    """Read each file once, so that what is hashed is what is understood."""
    read: dict[str, bytes] = {}
    for name, path in paths.items():
        try:
            with path.open("rb") as file:
                read[name] = file.read(MAX_FILE_BYTES + 1)
        except OSError as err:
            reason = f"cannot be read: {(err.strerror or 'unknown error').lower()}"
            errors.append(FolderError(str(path), 1, "file", reason))
    return read


def _read_rules(draft: Draft) -> None:
    document = draft.document(RULEBOOK)
    if document is None:
        return
    draft.refuse_other_keys(document, "rules")
    rules = document.at(("rules",))
    if document.is_spoiled(("rules",)):
        return
    if not isinstance(rules, list):
        draft.errors.append(document.fault(("rules",), f"must be a list of 1 to {MAX_ITEMS} rules"))
        return
    if not 0 < len(rules) <= MAX_ITEMS:
        reason = f"holds {len(rules)} rules; expected 1 to {MAX_ITEMS}"
        draft.errors.append(document.fault(("rules",), reason))
        return
    draft.unread_rules = len(rules)
    for index, row in enumerate(rules):
        loc = ("rules", index)
        if not isinstance(row, dict):
            draft.errors.append(document.fault(loc, "must be a rule: its fields, each with its value"))
            continue
        kind = row.get("kind")
        model = KINDS.get(kind) if isinstance(kind, str) else None
        if model is None:
            found = f"found {shown(kind)}" if "kind" in row else "it is missing"
            reason = f"expected one of: {', '.join(KINDS)} ({found})"
            draft.errors.append(document.fault((*loc, "kind"), reason))
            continue
        placed = place(model, document, loc, draft.errors)
        if placed is not None:
            draft.rules.append(placed)
            draft.unread_rules -= 1
