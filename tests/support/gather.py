"""Ask a running copy for everything that the loss oracle compares: one town, as the oracle's plain JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx

from municipio.client import Client

IN_FORCE = {"authorised", "renewed", "corrected", "lifted"}
OF_A_CALL = "voice"

Json = dict[str, Any]


def evidence_of(
    client: Client,
    carrier_url: str,
    municipality: str,
    accepted: Sequence[Mapping[str, Any]],
    *,
    started_at: datetime | None = None,
    until: datetime | None = None,
    held_up_s: float = 0.0,
) -> Json:
    """Return the evidence; ``accepted`` is the client's own log of what was answered 2xx."""
    return {
        "accepted": list(accepted),
        "started_at": started_at.isoformat() if started_at else None,
        "until": until.isoformat() if until else None,
        "held_up_s": held_up_s,
        "triage": _triage(client, municipality),
        "notify": _notify(client, municipality),
        "ledger": carrier_ledger(carrier_url),
    }


def carrier_ledger(url: str) -> list[Json]:
    """Return every entry of the carrier's ledger."""
    entries: list[Json] = []
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as http:
        while True:
            page = http.get("/_ledger", params={"after": entries[-1]["seq"] if entries else 0}).json()[
                "items"
            ]
            if not page:
                return entries
            entries += page


def _triage(client: Client, town: str) -> Json:
    verdicts = client.items("triage", "/admin/v1/verdicts", municipality=town)
    sensors = {row["sensor_id"]: {"count": row["count"], "digest": int(row["digest"])} for row in verdicts}
    changes = client.items("triage", "/admin/v1/changes", municipality=town, limit=2000)
    conditions = [row for row in changes if row["kind"] == "condition" and row["from"] != row["to"]]
    incidents = client.items("triage", "/admin/v1/incidents", municipality=town, limit=2000)
    return {"sensors": sensors, "incidents": incidents, "changes": conditions}


def _notify(client: Client, town: str) -> Json:
    warnings = []
    for head in client.items("notify", "/admin/v1/warnings", municipality=town, limit=2000):
        whole = client.get("notify", f"/admin/v1/warnings/{head['warning_id']}", municipality=town)
        warnings += [row for row in whole["versions"] if row["type"].removeprefix("warning.") in IN_FORCE]
    replies = client.items("notify", "/admin/v1/replies", municipality=town, limit=2000)
    return {
        "messages": client.items("notify", "/admin/v1/messages", municipality=town, limit=5000),
        "warnings": warnings,
        "tasks": client.items("notify", "/admin/v1/tasks", municipality=town, limit=2000),
        "answers": [{"sid": row["provider_id"].partition("/")[0]} for row in replies],
    }
