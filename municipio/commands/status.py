"""``municipio status``: what is ready, what is late, what is silent."""

from __future__ import annotations

from typing import Any

from municipio.context import AsJson, Data, running
from municipio.errors import DependencyDown, MunicipioError

_SERVICES = ("ingest", "triage", "notify", "console")
_DOWN = 3
_SHOWN_APART = {"service", "ready", "schema", "bounds"}


def status(data: Data = None, as_json: AsJson = False) -> int:
    """Say of each service whether it is ready, how far behind, and what waits."""
    from municipio.output import cell, print_json

    copy = running(data)
    client = copy.client()
    items = [_ask(client, service) for service in _SERVICES]
    ready = all(item["ready"] for item in items)
    days, reached = _days_until_full(items), _bounds_reached(items)
    if as_json:
        found = {"ready": ready, "days_until_disk_full": days, "bounds_reached": reached, "items": items}
        print_json("status", found)
    else:
        for item in items:
            print(f"{item['service']}: {'ready' if item['ready'] else 'NOT READY'}")
            for name, value in item.items():
                if name not in _SHOWN_APART and value not in ({}, []):
                    print(f"  {name}: {cell(value)}")
        print(f"days until the disk is full: {cell(days)}")
        for each in reached:
            print(f"AT ITS BOUND {each['service']} {each['name']}: {each['value']} of {each['most']}")
            print(f"  {each['effect']}")
    if any(item.get("down") for item in items):
        return _DOWN
    return 0 if ready else 1


def _days_until_full(items: list[dict[str, Any]]) -> float | None:
    """Return the fewest days that any service knows of; None where none does."""
    known = [item.get("disk", {}).get("days_until_full") for item in items]
    return min((days for days in known if days is not None), default=None)


def _bounds_reached(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"service": item["service"], **{name: bound[name] for name in ("name", "value", "most", "effect")}}
        for item in items
        for bound in item.get("bounds", [])
        if bound["is_met"]
    ]


def _ask(client: Any, service: str) -> dict[str, Any]:
    try:
        said = client.get(service, "/admin/v1/status")
    except DependencyDown as err:
        return {"service": service, "ready": False, "down": True, "reason": str(err)}
    except MunicipioError as err:
        return {"service": service, "ready": False, "reason": str(err)}
    return {"service": service, "ready": client.answers(service, "/readyz"), **said}
