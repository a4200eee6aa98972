"""``municipio warnings``: what was said to residents, by whose authority, and what became of it."""

from __future__ import annotations

from typing import Annotated

import typer

from municipio.context import DEFAULT_TOWN, AsJson, Data, Town, running, town_id

app = typer.Typer(help="What was said to residents, and by whose authority.", rich_markup_mode=None)
_COLUMNS = {
    "warning_id": "warning",
    "incident_id": "incident",
    "version": "version",
    "state": "state",
    "level": "level",
    "zones": "zones",
    "authority": "authority",
    "valid_until": "valid until",
}


@app.callback(invoke_without_command=True)
def warnings(
    ctx: typer.Context, municipality: Town = DEFAULT_TOWN, data: Data = None, as_json: AsJson = False
) -> int:
    """List warnings, or show one."""
    return 0 if ctx.invoked_subcommand else list_warnings(municipality, data, as_json)


@app.command("list")
def list_warnings(municipality: Town = DEFAULT_TOWN, data: Data = None, as_json: AsJson = False) -> int:
    """List the warnings of a municipality."""
    from municipio.output import print_json, print_table

    items = running(data).client().items("notify", "/admin/v1/warnings", municipality=town_id(municipality))
    if as_json:
        print_json("warnings", {"items": items})
    else:
        print_table("Warnings", _COLUMNS, items)
    return 0


@app.command("show")
def show(
    warning: Annotated[str, typer.Argument(metavar="ID")],
    municipality: Town = DEFAULT_TOWN,
    data: Data = None,
    as_json: AsJson = False,
) -> int:
    """Show one warning: texts, authority, every message and its fate."""
    from municipio.output import print_fields, print_json

    path = f"/admin/v1/warnings/{warning}"
    answer = running(data).client().get("notify", path, municipality=town_id(municipality))
    if as_json:
        print_json("warning", answer)
    else:
        print_fields(answer)
    return 0
