"""What the plain chain left behind, in the shape that the oracle reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.chaos.control.chain import ACT_LEVEL, text_of
from tests.support.oracle import Evidence
from tests.support.oracle.fold import digests, readings
from tests.support.towns import WrittenTown

Json = dict[str, Any]
ON_DUTY = "ana"


def write_phones(folder: Path, town: WrittenTown) -> None:
    """Tell the chain whom to text about each zone: the person on duty, and who lives there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "phones.json").write_text(json.dumps({zone: _told(town, zone) for zone in town.zones}))


def of(folder: Path, accepted: Sequence[Json], ledger: Sequence[Json], town: WrittenTown) -> Evidence:
    opened = _rows(folder / "incidents.ndjson")
    told = {
        "accepted": accepted,
        "triage": {
            "sensors": digests(readings(_rows(folder / "counted.ndjson"))),
            "incidents": [_incident(row) for row in opened],
        },
        "notify": {
            "messages": [row for each in opened for row in _messages(each, town)],
            "warnings": [_warning(row) for row in opened],
        },
        "ledger": ledger,
    }
    return Evidence.read(told)


def _told(town: WrittenTown, zone: str) -> dict[str, str]:
    residents = {f"{zone}-r{at}": phone for at, phone in enumerate(town.residents[zone], start=1)}
    return {ON_DUTY: town.phones[ON_DUTY], **residents}


def _incident(row: Json) -> Json:
    named = {"incident_id": row["incident_id"], "zones": [row["zone"]], "opened_at": row["opened_at"]}
    return {**named, "kind": "hazard", "hazard": "flood", "level": ACT_LEVEL}


def _warning(row: Json) -> Json:
    incident_id, zone = row["incident_id"], row["zone"]
    texts = [{"zone": zone, "language": "es", "text": text_of(incident_id, zone)}]
    named = {"warning_id": incident_id, "version": 1, "incident_id": incident_id, "zones": [zone]}
    return {**named, "state": "authorised", "texts": texts}


def _messages(row: Json, town: WrittenTown) -> list[Json]:
    incident_id = row["incident_id"]
    shared = {"incident_id": incident_id, "channel": "sms", "state": "accepted", "version": 1, "round": 0}
    return [
        {
            **shared,
            "message_id": f"{incident_id}.{recipient}",
            "recipient_id": recipient,
            "purpose": "page" if recipient == ON_DUTY else "warning",
            "warning_id": None if recipient == ON_DUTY else incident_id,
        }
        for recipient in _told(town, row["zone"])
    ]


def _rows(path: Path) -> list[Json]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
