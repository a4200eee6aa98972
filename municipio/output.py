"""Print answers: one JSON object for programs, a table for people. Logs and errors go to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

_WIDTH_IN_FILE = 200


def print_json(name: str, body: Mapping[str, Any]) -> None:
    """Print one object with its schema first."""
    document = {
        "schema": f"municipio/{name}/1",
        **{key: value for key, value in body.items() if key != "schema"},
    }
    print(json.dumps(document, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))


def print_table(title: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as a table; ``columns`` gives the heading of each key, in order."""
    from rich.console import Console
    from rich.table import Table

    if not rows:
        print(f"{title}: none")
        return
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for position, heading in enumerate(columns.values()):
        # The first column is the id that the next command wants: never broken into pieces.
        table.add_column(heading, overflow="fold", no_wrap=position == 0)
    for row in rows:
        table.add_row(*(cell(row.get(key)) for key in columns))
    Console(width=None if sys.stdout.isatty() else _WIDTH_IN_FILE).print(table)


def print_fields(fields: Mapping[str, Any]) -> None:
    """Print one thing as ``name: value`` lines; lists of reasons as indented lines."""
    for name, value in fields.items():
        if name == "schema":
            continue
        if isinstance(value, list) and value:
            print(f"{name}:")
            for entry in value:
                print(f"  - {cell(entry)}")
        else:
            print(f"{name}: {cell(value)}")


def cell(value: Any) -> str:
    """Return a value as a person reads it; what is unknown is never empty and never zero."""
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        if "text" in value and "code" in value:
            return str(value["text"])
        return ", ".join(f"{key}={cell(inner)}" for key, inner in value.items()) or "—"
    if isinstance(value, list | tuple):
        return ", ".join(map(cell, value)) or "—"
    return str(value)
