"""``municipio residents``: who asked to be warned, where."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Annotated

import typer

from municipio.context import DEFAULT_TOWN, AsJson, Data, Town, running, town_id
from municipio.errors import WrongUse

app = typer.Typer(help="Who asked to be warned, where.", no_args_is_help=True, rich_markup_mode=None)
_PER_REQUEST = 100
_SOME_REFUSED = 1


@app.callback()
def residents() -> None:
    """Who asked to be warned, where."""


@app.command("import")
def import_residents(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV as residents.csv of the example town.")],
    municipality: Town = DEFAULT_TOWN,
    data: Data = None,
    as_json: AsJson = False,
) -> int:
    """Import residents: 0 all, 1 some rows refused (listed), 2 unreadable."""
    from municipio.output import print_json

    rows = _rows(file)
    client, town = running(data).client(), town_id(municipality)
    imported, refused = 0, []
    for start in range(0, len(rows), _PER_REQUEST):
        part = rows[start : start + _PER_REQUEST]
        answer = client.post("notify", "/admin/v1/residents", {"municipality": town, "residents": part})
        imported += int(answer.get("imported", 0))
        # The first row below the heading is line 2.
        refused += [{**row, "line": row["index"] + start + 2} for row in answer.get("refused", [])]
    if as_json:
        print_json("residents-import", {"imported": imported, "refused": refused})
    else:
        for row in refused:
            print(f"{file}:{row['line']}: {row.get('field', '')}: {row.get('reason', '')}", file=sys.stderr)
        print(f"{imported} imported, {len(refused)} refused")
    return _SOME_REFUSED if refused else 0


def _rows(file: Path) -> list[dict[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as err:
        raise WrongUse(f"{file} cannot be read: {err}") from err
    if not rows:
        raise WrongUse(f"{file} has no rows.")
    return [{name: value for name, value in row.items() if name and isinstance(value, str)} for row in rows]
