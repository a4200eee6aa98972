"""``municipio dead-letters``: records that nobody could use, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from municipio.context import AsJson, Data, running
from municipio.errors import Refused

if TYPE_CHECKING:
    from municipio.client import Client

app = typer.Typer(help="Records that nobody could use, and why.", no_args_is_help=True, rich_markup_mode=None)
_COLUMNS = {
    "service": "service",
    "id": "id",
    "municipality": "municipality",
    "topic": "topic",
    "partition": "partition",
    "offset": "offset",
    "reason": "reason",
    "detail": "detail",
    "state": "state",
    "at": "at",
}


@app.callback()
def dead_letters() -> None:
    """Records that nobody could use, and why."""


@app.command("list")
def list_dead_letters(data: Data = None, as_json: AsJson = False) -> int:
    """List the dead letters of every service that keeps some."""
    from municipio.output import print_json, print_table

    client = running(data).client()
    rows: list[dict[str, Any]] = []
    for service in ("ingest", "triage", "notify", "console"):
        rows += [{"service": service, **row} for row in _of(client, service)]
    if as_json:
        print_json("dead-letters", {"items": rows})
    else:
        print_table("Dead letters", _COLUMNS, rows)
    return 0


def _of(client: Client, service: str) -> list[dict[str, Any]]:
    try:
        return client.items(service, "/admin/v1/dead-letters")
    except Refused:
        return []  # It has no such list.
