"""``municipio record``: write down a span of a running system's time, for ``backtest``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from municipio.commands.replay import moment
from municipio.context import DEFAULT_TOWN, AsJson, Data, Town, running, town_folder
from municipio.errors import WrongUse


def record(
    since: Annotated[str, typer.Option("--from", metavar="TIME", help="What was received from here on.")],
    until: Annotated[str, typer.Option("--to", metavar="TIME", help="And before this.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="A new folder (default var/records/…).")
    ] = None,
    municipality: Town = DEFAULT_TOWN,
    data: Data = None,
    as_json: AsJson = False,
) -> int:
    """Write readings and the order of record of what was decided upon into a folder that `backtest` reads."""
    from municipio.output import print_fields, print_json
    from municipio.paths import VAR
    from municipio.progress import late_progress
    from municipio.record import record as write
    from schemas.municipality import FolderErrors, load_folder

    first, last = moment("--from", since), moment("--to", until)
    if first >= last:
        raise WrongUse("--to must be later than --from.")
    copy = running(data)
    folder = town_folder(municipality, copy.municipalities)
    try:
        town = load_folder(folder)
    except FolderErrors as err:
        raise WrongUse(str(err)) from err
    place = out or VAR / "records" / f"{town.id}-{first:%Y%m%dT%H%M%S}-{last:%Y%m%dT%H%M%S}"
    with late_progress("rows") as progress:
        note = write(copy.client(), town, folder, first, last, place, progress)
    if not note["is_whole"]:
        print("The record begins in the middle: what was decided before it is not in it.", file=sys.stderr)
    said = {**note, "out": str(place)}
    if as_json:
        print_json("record", said)
    else:
        print_fields(said)
    return 0
