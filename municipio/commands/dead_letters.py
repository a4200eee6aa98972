"""``municipio dead-letters``: records that nobody could use, and why."""

from __future__ import annotations

from typing import Any

import typer

from municipio.context import AsJson, Data, running

app = typer.Typer(help="Records that nobody could use, and why.", no_args_is_help=True, rich_markup_mode=None)
_COLUMNS = {
    "service": "service",
    "id": "id",
    "topic": "topic",
    "partition": "partition",
    "offset": "offset",
    "reason": "reason",
    "detail": "detail",
    "at": "at",
}


@app.callback()
def dead_letters() -> None:
    """Records that nobody could use, and why."""


@app.command("list")
def list_dead_letters(data: Data = None, as_json: AsJson = False) -> int:
    """List the dead letters of every service, newest first."""
    from municipio.output import print_json, print_table

    client = running(data).client()
    rows: list[dict[str, Any]] = []
    for service in ("ingest", "triage", "notify"):
        answer = client.get(service, "/admin/v1/dead-letters")
        rows += [{"service": service, **row} for row in answer.get("items", [])]
    if as_json:
        print_json("dead-letters", {"items": rows})
    else:
        print_table("Dead letters", _COLUMNS, rows)
    return 0
