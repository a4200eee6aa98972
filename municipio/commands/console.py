"""``municipio console``: make the read model again, and say what it holds."""

from __future__ import annotations

import typer

from municipio.context import DEFAULT_TOWN, AsJson, Data, Town, running, town_id

app = typer.Typer(help="The console's read model.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def console() -> None:
    """The console's read model: copies of what stands on the topics, made again at any time."""


@app.command("rebuild")
def rebuild(data: Data = None, as_json: AsJson = False) -> int:
    """Throw the read model away and read every topic again; returns when that is done."""
    from municipio.output import print_json
    from municipio.read_model import until_read

    client = running(data).client()
    client.post("console", "/admin/v1/rebuild", {})
    until_read(client)
    if as_json:
        print_json("rebuild", {"done": True})
    else:
        print("The read model was made again.")
    return 0


@app.command("digest")
def digest(municipality: Town = DEFAULT_TOWN, data: Data = None, as_json: AsJson = False) -> int:
    """Show count and hash of everything held about a municipality; two consoles that agree show the same."""
    from municipio.output import print_json, print_table

    answer = running(data).client().get("console", "/v1/_digest", municipality=town_id(municipality))
    if as_json:
        print_json("digest", {"items": answer["items"]})
    else:
        columns = {"collection": "collection", "count": "count", "sha256_sum": "sum of SHA-256"}
        print_table("Read model", columns, answer["items"])
    return 0
