"""Ask the console for all it knows of a town, let it read everything again, and compare."""

from __future__ import annotations

import time
from typing import Any, Final

from municipio.client import Client
from municipio.errors import DependencyDown

LISTS: Final = ("incidents", "warnings", "tasks", "decisions", "reports", "messages")
WHOLE: Final = {"incidents": "incident_id", "warnings": "warning_id"}
REBUILT_WITHIN_S: Final = 120.0
LOOK_EVERY_S: Final = 0.1

Json = dict[str, Any]  # Any: JSON documents


def is_same_after_rebuild(client: Client, municipality: str) -> bool:
    """Say whether every answer about a town, and the digest of its tables, is the same read anew.

    Raises:
        DependencyDown: The console does not come to the end of its topics in time.
    """
    until_read(client)
    before = answers(client, municipality)
    client.post("console", "/admin/v1/rebuild", {})
    until_read(client)
    return bool(before["incidents"]) and before == answers(client, municipality)


def until_read(client: Client, within_s: float = REBUILT_WITHIN_S) -> None:
    """Wait until the read model holds every record of every topic."""
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        lag = client.get("console", "/admin/v1/status")["lag"]
        if lag and set(lag.values()) == {0}:
            return
        time.sleep(LOOK_EVERY_S)
    raise DependencyDown(f"The console did not read its topics to their end within {within_s:.0f} s.")


def answers(client: Client, municipality: str) -> Json:
    """Return everything that the console says of a town."""
    said: Json = {
        name: client.items("console", f"/v1/{name}", municipality=municipality, limit=1000) for name in LISTS
    }
    for name, key in WHOLE.items():
        for row in list(said[name]):
            path = f"/v1/{name}/{row[key]}"
            said[path] = client.get("console", path, municipality=municipality)
    return {**said, "digest": client.get("console", "/v1/_digest", municipality=municipality)}
