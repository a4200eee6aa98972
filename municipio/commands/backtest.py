"""``municipio backtest``: the same decisions on recorded readings, without a broker."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from municipio.context import DEFAULT_TOWN, AsJson, Town, town_folder
from municipio.errors import WrongUse

if TYPE_CHECKING:
    from municipio.backtest.operator import Operator
    from municipio.backtest.run import Backtest
    from municipio.backtest.truth import Event
    from schemas.municipality import Municipality

_SOME_REFUSED = 1
_DEFAULT_OPERATOR = "after:PT6H"
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.ASCII)


def backtest(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Recorded readings, or one folder of `record`.")
    ],
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="P", help="How the files look: a profile of the town.")
    ] = None,
    rulebooks: Annotated[
        list[Path] | None,
        typer.Option("--rulebook", metavar="FILE", help="In place of the town's own; several are compared."),
    ] = None,
    operator: Annotated[
        str | None,
        typer.Option(
            "--operator", metavar="never|after:PT6H|FILE", help="Who closes (simulated): nobody, after, FILE."
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option("--truth", metavar="FILE", help="What really happened: begins_at,ends_at,zone,level,…"),
    ] = None,
    references: Annotated[
        list[str] | None,
        typer.Option("--reference", metavar="SENSOR=VALUE", help="It happened when this gauge stood there."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a report with a chart per gauge.")
    ] = None,
    municipality: Town = DEFAULT_TOWN,
    as_json: AsJson = False,
) -> int:
    """Decide recorded readings as the running system would, with a simulated operator.

    With --truth or --reference each threshold is held against what really happened: hits, misses, false
    alarms, lead time, POD and FAR.

    0 all taken, 1 some rows were refused or broken (listed), 2 unreadable.
    """
    from municipio.backtest.run import compared
    from municipio.output import print_json

    if html is not None and not html.absolute().parent.is_dir():
        raise WrongUse(f"--html: there is no folder {html.absolute().parent}.")
    held = _Truth(truth, references or [])
    if any(path.is_dir() for path in files):
        done = _of_record(files, municipality, profile, rulebooks or [], operator, held)
    else:
        folder = town_folder(municipality)
        done = _of_files(files, folder, profile, rulebooks or [], operator, held)
    said = done[0].as_json() | {"comparison": compared(done)}
    if html is not None:
        _write(html, done[0], said)
    if as_json:
        print_json("backtest", said)
    else:
        _tell(said)
    return _SOME_REFUSED if said["rejected_count"] or said["broken_count"] or said["quarantined"] else 0


@dataclass(frozen=True, slots=True)
class _Truth:
    """What a backtest is held against: a file of events, gauges with a mark."""

    file: Path | None
    references: Sequence[str]

    def read(self, town: Municipality) -> tuple[list[Event], dict[str, float]]:
        from municipio.backtest.truth import events_of

        told = [] if self.file is None else events_of(self.file, town)
        return told, dict(_mark(said, town) for said in self.references)


def _mark(said: str, town: Municipality) -> tuple[str, float]:
    sensor_id, _, value = said.partition("=")
    try:
        mark = float(value)
    except ValueError:
        mark = math.nan
    if not math.isfinite(mark):
        raise WrongUse(f"--reference: {said} is not SENSOR=VALUE, as in rio-1=3.0.")
    if sensor_id not in town.sensor_of:
        raise WrongUse(f"--reference: the town has no sensor {sensor_id}.")
    return sensor_id, mark


def _of_files(
    files: list[Path],
    folder: Path,
    profile: str | None,
    rulebooks: list[Path],
    operator: str | None,
    truth: _Truth,
) -> list[Backtest]:
    from municipio.backtest.run import measure, run
    from municipio.profiles import profile_named
    from municipio.progress import late_progress

    looks = profile_named(profile, folder) if profile else None
    towns = [_town(folder, rulebook) for rulebook in rulebooks] or [_town(folder)]
    told, marks = truth.read(towns[0])
    with late_progress("readings") as progress:
        done = [
            run(
                files,
                town,
                profile=looks,
                operator=_operator(operator or _DEFAULT_OPERATOR),
                progress=lambda count, at, share: progress(f"{at:%Y-%m-%d %H:%M} UTC  {count}", share),
            )
            for town in towns
        ]
        for each, rulebook in zip_longest(done, rulebooks):
            each.rulebook = rulebook.name if rulebook is not None else None
            measure(each, told, marks)
    return done


def _of_record(
    files: list[Path],
    municipality: str,
    profile: str | None,
    rulebooks: list[Path],
    operator: str | None,
    truth: _Truth,
) -> list[Backtest]:
    """Decide a record again; under another rulebook or operator its readings are played like a file's."""
    from municipio.backtest import recordings
    from municipio.backtest.run import measure, run_record

    if len(files) != 1 or profile:
        raise WrongUse("A folder of `municipio record` is played alone and needs no --profile.")
    note = recordings.note_of(files[0])
    known = Path(str(note.get("folder", "")))
    is_known = municipality == DEFAULT_TOWN and (known / "municipality.yaml").is_file()
    folder = known if is_known else town_folder(_named(municipality, note["municipality"]))
    if rulebooks or operator:
        return _of_files([files[0] / recordings.READINGS], folder, None, rulebooks, operator, truth)
    town = _town(folder)
    if town.id != note["municipality"]:
        raise WrongUse(f"{files[0]} is a record of {note['municipality']}, and {folder} is {town.id}.")
    told, marks = truth.read(town)
    done = run_record(files[0], town)
    measure(done, told, marks)
    return [done]


def _write(path: Path, done: Backtest, said: dict[str, Any]) -> None:
    from municipio.backtest.report import report

    try:
        path.write_text(report(done, said), encoding="utf-8")
    except OSError as err:
        raise WrongUse(f"--html: {path} cannot be written: {err.strerror}.") from err


def _named(municipality: str, recorded: str) -> str:
    return recorded if municipality == DEFAULT_TOWN else municipality


def _town(folder: Path, rulebook: Path | None = None) -> Municipality:
    from schemas.municipality import FolderErrors, load_folder

    if rulebook is not None and not rulebook.is_file():
        raise WrongUse(f"{rulebook} cannot be read: it is not a file.")
    try:
        return load_folder(folder, rulebook=rulebook)
    except FolderErrors as err:
        raise WrongUse(str(err)) from err


def _operator(said: str) -> Operator:
    from municipio.backtest import recordings
    from municipio.backtest.operator import ClosesAfter, Never, Scripted

    if said == "never":
        return Never()
    if said.startswith("after:"):
        return ClosesAfter(_duration(said.removeprefix("after:")))
    if not Path(said).is_file():
        raise WrongUse(f"--operator: {said} is neither never, after:PT6H, nor a file of decisions.")
    return Scripted(recordings.decisions(Path(said)))


def _duration(said: str) -> timedelta:
    match = _DURATION.fullmatch(said)
    parts = [int(part or 0) for part in match.groups()] if match else []
    if not any(parts):
        raise WrongUse(f"--operator: after:{said} is not a duration such as after:PT6H.")
    days, hours, minutes, seconds = parts
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _tell(said: dict[str, Any]) -> None:
    from municipio.output import print_fields, print_table

    lists = {"rejected", "broken", "changes", "messages", "tasks", "silences", "summary"}
    lists |= {"skill", "events", "comparison"}
    print_fields({name: value for name, value in said.items() if name not in lists})
    moves = [row for row in said["changes"] if row["from"] != row["to"] and not _is_settling(row)]
    columns = {"at": "at", "kind": "kind", "rule": "rule", "zone": "zone", "from": "from", "to": "to"}
    why = [{**row, "why": row["reasons"][0]["text"] if row["reasons"] else ""} for row in moves]
    print_table("Changes", {**columns, "simulated": "simulated", "why": "why"}, why)
    told = {"at": "at", "level": "level", "audience": "audience", "zone": "zone", "segments": "segments"}
    print_table("Messages", {**told, "text": "text"}, said["messages"])
    print_table("Silences", {"site": "site", "from": "from", "to": "to"}, said["silences"])
    summed = {"rule": "rule", "n": "n", "first": "first", "time_in_level_s": "time in level (s)"}
    print_table("Summary", summed, said["summary"])
    for each in (said["comparison"] or {"items": [said] if said["skill"] else []})["items"]:
        _tell_rulebook(each)
    for name, title in (("broken", "Broken rows"), ("rejected", "Refused")):
        if said[name]:
            print_table(title, {"file": "file", "row": "row", "reason": "why"}, said[name])


def _tell_rulebook(said: dict[str, Any]) -> None:
    """Show how one rulebook did, to be read beside another."""
    from municipio.output import print_table

    title = f"Rulebook {said['rulebook'] or ''} {said['rulebook_version']}"
    if not said["skill"]:
        print_table(title, {"rule": "rule", "n": "n", "first": "first"}, said["summary"])
        return
    lead = [{**row, "lead": (row["lead_time_s"] or {}).get("p50")} for row in said["skill"]]
    counts = {"events": "events", "hits": "hits", "misses": "misses", "false_alarms": "false alarms"}
    rates = {"pod": "POD", "far": "FAR", "lead": "lead time p50 (s)"}
    print_table(title, {"rule": "rule", "level": "level", **counts, **rates}, lead)


def _is_settling(row: dict[str, Any]) -> bool:
    return row["kind"] == "condition" and not row["provisional"]
