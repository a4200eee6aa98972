"""``municipio keys``: who may post readings, or hand over what people report."""

from __future__ import annotations

from typing import Annotated

import typer

from municipio.context import DEFAULT_TOWN, AsJson, Data, Town, running, town_id

app = typer.Typer(
    help="Keys with which sources post readings or hand over people's reports.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_COLUMNS = {
    "key_id": "key",
    "name": "name",
    "sensors": "sensors",
    "network": "network",
    "reports": "reports",
    "created_at": "created",
    "revoked_at": "revoked",
}
_PATH = "/admin/v1/keys"


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the source is called.")],
    sensor: Annotated[
        list[str] | None, typer.Option("--sensor", metavar="PATTERN", help="Only these sensors: rio-*")
    ] = None,
    network: Annotated[str | None, typer.Option("--network", help="Only sensors of this network.")] = None,
    reports: Annotated[
        bool,
        typer.Option(
            "--reports",
            help="It may hand over people's reports by any channel (911, radio); speaks for no sensor"
            " unless one is named.",
        ),
    ] = False,
    may_sign: Annotated[
        bool, typer.Option("--may-sign", help="Its requests may be signed in place of sending the key.")
    ] = False,
    municipality: Town = DEFAULT_TOWN,
    data: Data = None,
    as_json: AsJson = False,
) -> int:
    """Create a key and print it; it is shown this once."""
    from municipio.output import print_fields, print_json

    scope = {"sensors": sensor or None, "network": network, "reports": reports, "may_sign": may_sign}
    asked: dict[str, object] = {"municipality": town_id(municipality), "name": name}
    asked |= {field: value for field, value in scope.items() if value}
    made = running(data).client().post("ingest", _PATH, asked)
    if as_json:
        print_json("key", made)
    else:
        print_fields(made)
    return 0


@app.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID")],
    municipality: Town = DEFAULT_TOWN,
    data: Data = None,
    as_json: AsJson = False,
) -> int:
    """Revoke a key; what was accepted with it stays."""
    from municipio.output import print_json

    town = town_id(municipality)
    answer = running(data).client().delete("ingest", f"{_PATH}/{key_id}?municipality={town}")
    if as_json:
        print_json("key", {"key_id": key_id, **answer})
    else:
        print(f"{key_id}: revoked")
    return 0


@app.command("list")
def list_keys(municipality: Town = DEFAULT_TOWN, data: Data = None, as_json: AsJson = False) -> int:
    """List the keys of a municipality, never the secrets."""
    from municipio.output import print_json, print_table

    items = running(data).client().items("ingest", _PATH, municipality=town_id(municipality))
    if as_json:
        print_json("keys", {"items": items})
    else:
        print_table("Keys", _COLUMNS, items)
    return 0
