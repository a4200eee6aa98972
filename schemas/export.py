"""Write the JSON Schemas of all contracts: ``python -m schemas.export``; with ``--check`` only compare.

``schemas/json/<type>.json`` is the value of an event, ``schemas/json/municipality/<file>.json`` a file of a
municipality's folder (of a table: one row). ``--release VERSION`` writes what ``schemas.compat`` holds later
changes against.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from schemas.municipality.duty import Person, Protocols, Resident, Rosters
from schemas.municipality.geojson import RefugesFile, ZonesFile
from schemas.municipality.places import Sensor
from schemas.municipality.profile import Profile
from schemas.municipality.rulebook import Rulebook
from schemas.municipality.town import Legal, Operators, Town
from schemas.topics import TOPICS

JSON_DIR: Final = Path(__file__).parent / "json"
RELEASED_DIR: Final = "released"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
FOLDER_FILES: Final[Mapping[str, type[BaseModel]]] = {
    "municipality": Town,
    "legal": Legal,
    "operators": Operators,
    "zones": ZonesFile,
    "refuges": RefugesFile,
    "sensors": Sensor,
    "rulebook": Rulebook,
    "protocols": Protocols,
    "shifts": Rosters,
    "directory": Person,
    "residents": Resident,
    "profile": Profile,
}

Schema = dict[str, Any]  # JSON Schema is JSON of any shape


def all_schemas() -> dict[str, Schema]:
    """Return every contract's JSON Schema by its path below ``schemas/json``, without ``.json``."""
    events = {kind.name: kind.model for topic in TOPICS for kind in topic.types}
    files = {f"municipality/{name}": model for name, model in FOLDER_FILES.items()}
    return {name: _schema(model) for name, model in {**events, **files}.items()}


def bundle(version: str) -> Schema:
    """Return what a release promises: the table of topics and every schema."""
    topics = {
        topic.name: {
            "key": topic.key,
            "partitions": topic.partitions,
            "signed": topic.signed,
            "types": sorted(kind.name for kind in topic.types),
        }
        for topic in TOPICS
    }
    return {"version": version, "topics": topics, "schemas": all_schemas()}


def drift(directory: Path = JSON_DIR) -> list[str]:
    """Return each file that is not what the models say, with the reason."""
    wanted = {f"{name}.json": _written(schema) for name, schema in all_schemas().items()}
    found = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*.json")}
    found = {name: path for name, path in found.items() if not name.startswith(f"{RELEASED_DIR}/")}
    faults = [f"{name}: no model writes it any more" for name in sorted(set(found) - set(wanted))]
    for name, text in sorted(wanted.items()):
        if name not in found:
            faults.append(f"{name}: is missing")
        elif found[name].read_text(encoding="utf-8") != text:
            faults.append(f"{name}: is not what the models say")
    return faults


def write(directory: Path = JSON_DIR) -> int:
    """Write every schema, remove what no model writes, and return how many there are."""
    schemas = all_schemas()
    for path in directory.rglob("*.json"):
        name = path.relative_to(directory).with_suffix("").as_posix()
        if not name.startswith(f"{RELEASED_DIR}/") and name not in schemas:
            path.unlink()
    for name, schema in schemas.items():
        path = directory / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_written(schema), encoding="utf-8")
    return len(schemas)


def release(version: str, directory: Path = JSON_DIR) -> Path:
    """Write the promise of a release.

    Raises:
        FileExistsError: It was made already; a promise is not changed.
    """
    path = directory / RELEASED_DIR / f"{version}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(_written(bundle(version)))
    return path


def _schema(model: type[BaseModel]) -> Schema:
    return {"$schema": DIALECT} | model.model_json_schema(mode="validation")


def _written(content: Schema) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m schemas.export", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 on drift")
    parser.add_argument("--release", metavar="VERSION", help="write schemas/json/released/VERSION.json")
    chosen = parser.parse_args(arguments)
    if chosen.check:
        faults = drift()
        sys.stderr.writelines(f"schemas/json/{fault}; run python -m schemas.export\n" for fault in faults)
        return 1 if faults else 0
    sys.stdout.write(f"{write()} schemas in {JSON_DIR}\n")
    if chosen.release:
        sys.stdout.write(f"{release(chosen.release)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
