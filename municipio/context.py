"""Find what a command speaks about: the running copy and the municipality."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from municipio.errors import WrongUse
from municipio.paths import EXAMPLE_TOWN, MUNICIPALITIES, VAR

if TYPE_CHECKING:
    from municipio.client import Client

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Town = Annotated[
    str, typer.Option("--municipality", metavar="DIR|ID", help="Folder or id of the municipality.")
]
Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Folder of the running copy (default var/data).")
]
DEFAULT_TOWN = EXAMPLE_TOWN
_DEFAULT_URLS = {
    "ingest": "http://127.0.0.1:8081",
    "triage": "http://127.0.0.1:8082",
    "door": "http://127.0.0.1:8083",
    "notify": "http://127.0.0.1:8084",
    "console": "http://127.0.0.1:8080",
}


@dataclass(frozen=True, slots=True)
class Running:
    """The copy that a command speaks to, as the environment and its note ``up.json`` describe it."""

    data: Path
    urls: Mapping[str, str]
    municipalities: Path
    note: Mapping[str, Any]

    @property
    def keys(self) -> Path:
        given = os.environ.get("MUNICIPIO_KEYS_DIR")
        return Path(given) if given else self.data / "keys"

    def client(self) -> Client:
        from municipio.client import Client

        return Client(self.urls, secret("ADMIN_TOKEN", self.keys / "admin_token"))


def running(data: Path | None = None) -> Running:
    """Return the copy in ``data``; without a note, what the environment says, else the documented ports."""
    folder = data_dir(data)
    note = _note(folder / "up.json")
    urls = {name: os.environ.get(f"MUNICIPIO_{name.upper()}_URL", url) for name, url in _DEFAULT_URLS.items()}
    urls |= note.get("urls", {})
    return Running(folder, urls, _municipalities(note), note)


def data_dir(given: Path | None) -> Path:
    return (given or Path(os.environ.get("MUNICIPIO_DATA_DIR", VAR / "data"))).resolve()


def town_folder(municipality: str, municipalities: Path | None = None) -> Path:
    """Return the folder of a municipality given by folder or by id.

    Raises:
        WrongUse: There is no such folder.
    """
    root = municipalities or _municipalities({})
    for folder in (Path(municipality), root / municipality):
        if (folder / "municipality.yaml").is_file():
            return folder.resolve()
    raise WrongUse(f"{municipality} is neither a municipality's folder nor the id of one in {root}.")


def town_id(municipality: str) -> str:
    """Return the id of a municipality given by folder or by id; folders are named by their id."""
    folder = Path(municipality)
    return folder.resolve().name if (folder / "municipality.yaml").is_file() else municipality


def secret(name: str, default: Path) -> str:
    """Return ``MUNICIPIO_<name>``, else the content of ``MUNICIPIO_<name>_FILE``, else of ``default``."""
    given = os.environ.get(f"MUNICIPIO_{name}")
    if given:
        return given
    file = Path(os.environ.get(f"MUNICIPIO_{name}_FILE") or default)
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def _municipalities(note: Mapping[str, Any]) -> Path:
    return Path(
        note.get("municipalities_dir") or os.environ.get("MUNICIPIO_MUNICIPALITIES_DIR") or MUNICIPALITIES
    )


def _note(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}
