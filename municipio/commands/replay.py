"""``municipio replay``: play recorded readings through the running system."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from municipio.context import DEFAULT_TOWN, AsJson, Data, Running, Town, running, secret, town_folder
from municipio.errors import WrongUse

if TYPE_CHECKING:
    from municipio.replay import Summary, Target

_SOME_REFUSED = 1


def replay(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…")],
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="P", help="How the files look: a profile of the town.")
    ] = None,
    speed: Annotated[
        str, typer.Option("--speed", metavar="X|max", help="Town seconds per second, or as fast as decided.")
    ] = "max",
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Only what was observed from here on.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Only what was observed before this.")
    ] = None,
    municipality: Town = DEFAULT_TOWN,
    data: Data = None,
    as_json: AsJson = False,
) -> int:
    """Feed recorded readings through the running system's doors; the town's clock follows the files.

    0 all taken, 1 some rows were refused or broken (listed), 2 unreadable.
    """
    from municipio.output import print_json
    from municipio.profiles import profile_named
    from municipio.replay import run, terminal_progress

    copy = running(data)
    folder = town_folder(municipality, copy.municipalities)
    looks = profile_named(profile, folder) if profile else None
    target, pace = _target(copy, folder.name), _speed(speed)
    with terminal_progress() as progress:
        summary = run(
            files,
            target,
            profile=looks,
            speed=pace,
            since=moment("--from", since) if since else None,
            until=moment("--to", until) if until else None,
            progress=progress,
        )
    if as_json:
        print_json("replay", summary.as_json())
    else:
        _tell(summary)
    said = summary.as_json()
    return _SOME_REFUSED if said["rejected_count"] or said["broken_count"] else 0


def _target(copy: Running, municipality: str) -> Target:
    from municipio.replay import Target

    clock = copy.note.get("town_clock_file")
    if not clock:
        raise WrongUse(
            f"The copy in {copy.data} has no town clock; a replay needs `municipio up` outside production."
        )
    return Target(
        municipality,
        copy.urls,
        secret("ADMIN_TOKEN", copy.keys / "admin_token"),
        Path(clock),
        kafka_bootstrap=copy.note.get("kafka_bootstrap"),
    )


def _speed(said: str) -> float | Literal["max"]:
    if said == "max":
        return "max"
    try:
        return float(said)
    except ValueError as err:
        raise WrongUse(f"--speed: {said} is neither a number nor max.") from err


def moment(option: str, said: str) -> datetime:
    """Return a time that a person typed.

    Raises:
        WrongUse: It is none, or has no offset.
    """
    try:
        at = datetime.fromisoformat(said)
    except ValueError as err:
        raise WrongUse(f"{option}: {said} is not a time such as 2024-05-01T00:00:00-03:00.") from err
    if at.tzinfo is None:
        raise WrongUse(f"{option}: {said} needs an offset from UTC, such as -03:00.")
    return at


def _tell(summary: Summary) -> None:
    from municipio.output import print_fields, print_table

    said = summary.as_json()
    print_fields(
        {name: value for name, value in said.items() if name not in {"schema", "rejected", "broken"}}
    )
    if said["broken"]:
        print_table("Broken rows", {"file": "file", "row": "row", "reason": "why"}, said["broken"])
    if said["rejected"]:
        print_table("Refused", {"file": "file", "row": "row", "reason": "why"}, said["rejected"])
