"""What ``municipio rulebook check`` finds: every part understood, and every part fits the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from schemas.municipality.check_coverage import remark_coverage
from schemas.municipality.check_people import check_people
from schemas.municipality.check_places import check_places
from schemas.municipality.check_rules import check_rules, ground_of, remark_rules
from schemas.municipality.document import Loc, Placed
from schemas.municipality.draft import Draft, read_draft
from schemas.municipality.errors import FolderError

T = TypeVar("T")


def check_folder(
    path: Path, *, environment: str = "development", rulebook: Path | None = None
) -> tuple[FolderError, ...]:
    """Return everything that is wrong with a folder, by file and line; empty means that it can be used.

    ``rulebook``: another file checked in the place of the folder's own.
    """
    draft = read_draft(path, rulebook=rulebook)
    return tuple(sorted(check_draft(draft, environment)))


def check_draft(draft: Draft, environment: str) -> set[FolderError]:
    """Return every fault; with one of them the folder cannot be used."""
    found = {*draft.errors, *check_rules(draft, ground_of(draft)), *check_places(draft)}
    return found | {*check_people(draft, environment), *_all_twins(draft)}


def remark_draft(draft: Draft) -> set[FolderError]:
    """Return what somebody should look at in a folder that can be used."""
    ground = ground_of(draft)
    return {*remark_rules(draft, ground), *remark_coverage(draft, ground)}


def _all_twins(draft: Draft) -> Iterator[FolderError]:
    yield from _twins(draft.operators, lambda row: row.id, ("id",))
    yield from _twins(draft.zones, lambda row: row.properties.id, ("properties", "id"))
    yield from _twins(draft.refuges, lambda row: row.properties.id, ("properties", "id"))
    yield from _twins(draft.sensors, lambda row: row.sensor_id, ("sensor_id",))
    yield from _twins(draft.directory, lambda row: row.person_id, ("person_id",))
    yield from _twins(draft.residents, lambda row: row.resident_id, ("resident_id",))
    yield from _twins(draft.rosters, lambda row: row.id, ("id",))
    yield from _twins(draft.profiles, lambda row: row.id, ("id",))
    yield from _twins(draft.protocols, lambda row: f"{row.hazard.value} {row.kind.value}", ("hazard",))


def _twins(placed: Sequence[Placed[T]], identity: Callable[[T], str], where: Loc) -> Iterator[FolderError]:
    first: dict[str, Placed[T]] = {}
    for item in placed:
        name = identity(item.value)
        if name in first:
            line = item.document.line(first[name].loc)
            yield item.fault(where, f"{name} stands twice; first on line {line}")
        first.setdefault(name, item)
