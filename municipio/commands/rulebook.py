"""``municipio rulebook``: look at what a municipality wrote before it governs anything."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from municipio.context import DEFAULT_TOWN, AsJson, Town, data_dir, town_folder
from municipio.errors import WrongUse

app = typer.Typer(help="Check thresholds before they govern.", no_args_is_help=True, rich_markup_mode=None)
_FAILED = 1


@app.callback()
def rulebook() -> None:
    """Check thresholds before they govern."""


@app.command("check")
def check(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE…]", help="Rulebooks in place of the folder's own.")
    ] = None,
    municipality: Town = DEFAULT_TOWN,
    as_json: AsJson = False,
) -> int:
    """Print each fault as file:line: field: what is wrong and what is expected; 0 when there is none."""
    from municipio.output import print_json
    from schemas.municipality import FolderError, FolderErrors, load_folder

    folder = town_folder(municipality)
    keys = data_dir(None) / "keys"
    errors: list[FolderError] = []
    rulebooks: list[Path | None] = [*files] if files else [None]
    for rulebook_file in rulebooks:
        if rulebook_file is not None and not rulebook_file.is_file():
            raise WrongUse(f"{rulebook_file} cannot be read: it is not a file.")
        try:
            load_folder(folder, keys_dir=keys if keys.is_dir() else None, rulebook=rulebook_file)
        except FolderErrors as err:
            errors.extend(error for error in err.errors if error not in errors)
    if as_json:
        rows = [{"file": e.file, "line": e.line, "field": e.field, "reason": e.reason} for e in errors]
        print_json("rulebook-check", {"ok": not errors, "items": rows})
    else:
        for error in errors:
            print(error)
        if not errors:
            print(f"{folder}: in order", file=sys.stderr)
    return _FAILED if errors else 0
