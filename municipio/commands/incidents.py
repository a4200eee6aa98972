"""``municipio incidents``: what triage holds to be happening, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from municipio.context import DEFAULT_TOWN, AsJson, Data, Town, running, town_id

app = typer.Typer(help="What triage holds to be happening, and why.", rich_markup_mode=None)
_COLUMNS = {
    "incident_id": "incident",
    "version": "version",
    "kind": "kind",
    "hazard": "hazard",
    "level": "level",
    "state": "state",
    "zones": "zones",
    "site": "site",
    "opened_at": "opened",
}


@app.callback(invoke_without_command=True)
def incidents(
    ctx: typer.Context, municipality: Town = DEFAULT_TOWN, data: Data = None, as_json: AsJson = False
) -> int:
    """List incidents, or show one."""
    return 0 if ctx.invoked_subcommand else list_incidents(municipality, data, as_json)


@app.command("list")
def list_incidents(municipality: Town = DEFAULT_TOWN, data: Data = None, as_json: AsJson = False) -> int:
    """List the incidents of a municipality."""
    from municipio.output import print_json, print_table

    items = running(data).client().items("triage", "/admin/v1/incidents", municipality=town_id(municipality))
    if as_json:
        print_json("incidents", {"items": items})
    else:
        print_table("Incidents", _COLUMNS, items)
    return 0


@app.command("show")
def show(
    incident: Annotated[str, typer.Argument(metavar="ID")],
    municipality: Town = DEFAULT_TOWN,
    data: Data = None,
    as_json: AsJson = False,
) -> int:
    """Show one incident: level, reasons, evidence, versions."""
    from municipio.output import print_fields, print_json

    path = f"/admin/v1/incidents/{incident}"
    answer = running(data).client().get("triage", path, municipality=town_id(municipality))
    if as_json:
        print_json("incident", answer)
    else:
        print_fields({**answer, "versions": [_version(one) for one in answer.get("versions", [])]})
    return 0


def _version(one: Mapping[str, Any]) -> str:
    """Return one version of many in a line: its reasons in full stand in the JSON."""
    reasons = one.get("reasons") or [{}]
    why = reasons[0].get("text")
    return f"{one.get('version')}: level {one.get('level')}, {one.get('classified_at')}, {why}"
