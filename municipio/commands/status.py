"""``municipio status``: what is ready, what is late, what is silent."""

from __future__ import annotations

from typing import Any

from municipio.context import AsJson, Data, running
from municipio.errors import DependencyDown, MunicipioError

_SERVICES = ("ingest", "triage", "notify", "console")
_DOWN = 3


def status(data: Data = None, as_json: AsJson = False) -> int:
    """Say of each service whether it is ready, how far behind, and what waits."""
    from municipio.output import cell, print_json

    copy = running(data)
    client = copy.client()
    items = [_ask(client, service) for service in _SERVICES]
    ready = all(item["ready"] for item in items)
    if as_json:
        print_json("status", {"ready": ready, "items": items})
    else:
        for item in items:
            print(f"{item['service']}: {'ready' if item['ready'] else 'NOT READY'}")
            for name, value in item.items():
                if name not in {"service", "ready", "schema"} and value not in ({}, []):
                    print(f"  {name}: {cell(value)}")
    if any(item.get("down") for item in items):
        return _DOWN
    return 0 if ready else 1


def _ask(client: Any, service: str) -> dict[str, Any]:
    try:
        said = client.get(service, "/admin/v1/status")
    except DependencyDown as err:
        return {"service": service, "ready": False, "down": True, "reason": str(err)}
    except MunicipioError as err:
        return {"service": service, "ready": False, "reason": str(err)}
    return {"service": service, "ready": client.answers(service, "/readyz"), **said}
