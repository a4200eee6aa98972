"""``municipio rulebook``: look at what a municipality wrote before it governs anything."""

from __future__ import annotations

import difflib
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from municipio.context import DEFAULT_TOWN, AsJson, Town, data_dir, town_folder
from municipio.errors import Refused, WrongUse

if TYPE_CHECKING:
    from schemas.municipality import Municipality
    from schemas.municipality.explain import Explained
    from schemas.municipality.rulebook import Rule

app = typer.Typer(
    help="Check thresholds before they govern, and read them in plain words.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_FAILED = 1


@app.callback()
def rulebook() -> None:
    """Check thresholds before they govern, and read them in plain words."""


@app.command("check")
def check(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE…]", help="Rulebooks in place of the folder's own.")
    ] = None,
    municipality: Town = DEFAULT_TOWN,
    as_json: AsJson = False,
) -> int:
    """Print each fault as file:line: field: what is wrong and what is expected; 0 when there is none.

    Without faults what somebody should look at follows, marked "warning": gaps in time, sensors that nobody
    watches, zones that nobody covers, rows that are inactive because the gauge has another zero.
    """
    from municipio.output import print_json
    from schemas.municipality import FolderError, review_folder

    folder = town_folder(municipality)
    keys = data_dir(None) / "keys"
    found: list[FolderError] = []
    rulebooks: list[Path | None] = [*files] if files else [None]
    for file in rulebooks:
        _must_be_file(file)
        reviewed = review_folder(folder, keys_dir=keys if keys.is_dir() else None, rulebook=file)
        found = [*dict.fromkeys([*found, *reviewed])]
    faults = [each for each in found if not each.is_warning]
    if as_json:
        rows = [
            {
                "file": each.file,
                "line": each.line,
                "field": each.field,
                "reason": each.reason,
                "severity": "warning" if each.is_warning else "error",
            }
            for each in found
        ]
        print_json("rulebook-check", {"ok": not faults, "items": rows})
    else:
        for each in found:
            print(each)
        if not faults:
            print(f"{folder}: in order{_and_looked_at(len(found))}", file=sys.stderr)
    return _FAILED if faults else 0


@app.command("explain")
def explain(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="Id of the rule.")],
    file: Annotated[
        Path | None,
        typer.Option("--rulebook", metavar="FILE", help="A rulebook in place of the folder's own."),
    ] = None,
    municipality: Town = DEFAULT_TOWN,
    as_json: AsJson = False,
) -> int:
    """Tell a rule in plain Spanish: what it looks at, since when and by whom, what is done at each level."""
    from municipio.output import print_json
    from schemas.municipality import FolderErrors, load_folder
    from schemas.municipality.explain import explain as explained

    _must_be_file(file)
    try:
        town = load_folder(town_folder(municipality), rulebook=file)
    except FolderErrors as err:
        print(err, file=sys.stderr)
        raise Refused("A rulebook with faults explains nothing: see rulebook check.") from err
    rows = [row for row in town.rulebook.rules if row.id == rule]
    if not rows:
        raise Refused(_no_such_rule(rule, [row.id for row in town.rulebook.rules]))
    now = datetime.now(UTC)
    told = [(row, explained(town, row, now)) for row in sorted(rows, key=lambda row: row.valid_from)]
    if as_json:
        items = [_as_json(town, row, words, now) for row, words in told]
        body = {"rule": rule, "rulebook_version": town.rulebook_version, "items": items}
        print_json("rulebook-explain", body)
    else:
        print("\n\n".join(_as_text(words) for _, words in told))
    return 0


def _must_be_file(file: Path | None) -> None:
    if file is not None and not file.is_file():
        raise WrongUse(f"{file} cannot be read: it is not a file.")


def _and_looked_at(warnings: int) -> str:
    return f"; look at {warnings} warning(s)" if warnings else ""


def _no_such_rule(rule: str, known: list[str]) -> str:
    close = difflib.get_close_matches(rule, known, n=1)
    meant = f" Did you mean {close[0]}?" if close else ""
    return f"There is no rule {rule} in this rulebook.{meant}"


def _as_text(words: Explained) -> str:
    parts = [words.title]
    for paragraph in words.paragraphs:
        parts += ["", paragraph.heading, *(f"  {sentence}" for sentence in paragraph.sentences)]
    return "\n".join(parts)


def _as_json(town: Municipality, row: Rule, words: Explained, now: datetime) -> dict[str, object]:
    return {
        "kind": row.kind,
        "hazard": row.hazard.value,
        "zones": list(row.places()),
        "valid_from": town.local(row.valid_from).isoformat(),
        "valid_to": town.local(row.valid_to).isoformat() if row.valid_to else None,
        "in_force": row.in_force(now),
        "signed_by": list(row.signed_by),
        "title": words.title,
        "paragraphs": [{"heading": each.heading, "sentences": each.sentences} for each in words.paragraphs],
    }
