"""``municipio replay``: play recorded readings through the running system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from municipio.context import DEFAULT_TOWN, AsJson, Data, Town, running, town_folder


def replay(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…")],
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="P", help="How the files look: a profile of the town.")
    ] = None,
    speed: Annotated[
        str, typer.Option("--speed", metavar="X|max", help="Town seconds per second, or as fast as decided.")
    ] = "max",
    municipality: Town = DEFAULT_TOWN,
    data: Data = None,
    as_json: AsJson = False,
) -> int:
    """Feed recorded readings through the running system's doors; the town clock follows the files."""
    from municipio.replay import main

    copy = running(data)
    folder = town_folder(municipality, copy.municipalities)
    return int(main(files, folder=folder, copy=copy, profile=profile, speed=speed, as_json=as_json))
