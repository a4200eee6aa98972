"""A toy run, as evidence: one gauge rises, a page is answered, two residents are warned."""

from __future__ import annotations

import base64
from typing import Any

from tests.support.oracle import Town
from tests.support.oracle.fold import digests, readings

TEXT = "ALCALDIA: el rio se desborda en Zona 001. Salga YA. Hasta 22:00. V7K2"
RESIDENTS = ["z-001-r1", "z-001-r2"]
# Of the words above for zone, incident and audience of the toy warning.
HASH = "63f138e29ead209f5780998d30ca8bc0e29e32d6c44cfff0bfc209814b2a678d"
STATUS = "http://127.0.0.1:8083/twilio/message-status?m="


def reading(minute: int, value: float, sensor_id: str = "g-001") -> dict[str, Any]:
    at = f"2026-05-04T18:{minute:02d}:00-06:00"
    return {"sensor_id": sensor_id, "property": "river_level", "value": value, "unit": "m", "observed_at": at}


def callback(message_id: str, town_id: str = "a") -> str:
    said = "\n".join((town_id, message_id, "1", "sms", "page", "es"))
    return STATUS + base64.urlsafe_b64encode(said.encode()).rstrip(b"=").decode() + ".c2ln"


def sms(sid: str, phone: str, text: str, message_id: str) -> dict[str, Any]:
    return {
        "kind": "message",
        "sid": sid,
        "phone": phone,
        "channel": "sms",
        "text": text,
        "status_callback": callback(message_id),
        "via": "api",
    }


def row(message_id: str, recipient_id: str, purpose: str, state: str = "delivered") -> dict[str, Any]:
    warning = purpose == "warning"
    return {
        "message_id": message_id,
        "incident_id": "i1",
        "recipient_id": recipient_id,
        "channel": "sms",
        "purpose": purpose,
        "state": state,
        "warning_id": "w1" if warning else None,
        "version": 1 if warning else None,
        "content_hash": HASH if warning else None,
        "round": 0,
    }


def run_of(town: Town) -> dict[str, Any]:
    """A quiet gauge and one that rises to 3: a page, its answer, and a warning to two residents."""
    accepted = [reading(0, 2.0), reading(0, 2.0, "g-002"), reading(15, 3.1), reading(15, 2.1, "g-002")]
    phones = town.residents
    return {
        "accepted": accepted,
        "triage": {
            "sensors": digests(readings(accepted)),
            "incidents": [
                {
                    "incident_id": "i1",
                    "kind": "hazard",
                    "hazard": "flood",
                    "level": 3,
                    "zones": ["z-001"],
                    "opened_at": "2026-05-04T18:15:01-06:00",
                }
            ],
            "changes": [
                {
                    "kind": "condition",
                    "rule": "r-001",
                    "sensor_id": "g-001",
                    "from": 0,
                    "to": 3,
                    "observed_at": "2026-05-04T18:15:00-06:00",
                }
            ],
        },
        "notify": {
            "messages": [
                row("p.ana", "ana", "authority"),
                *(row(f"w.{one}", one, "warning") for one in RESIDENTS),
            ],
            "warnings": [
                {
                    "warning_id": "w1",
                    "version": 1,
                    "incident_id": "i1",
                    "state": "authorised",
                    "zones": ["z-001"],
                    "texts": [{"zone": "z-001", "language": "es", "text": TEXT}],
                    "incident_version": 1,
                    "audience": {"digest": "d1"},
                    "authority": {"kind": "operator", "operator_id": "ana"},
                    "content_hash": HASH,
                    "at": "2026-05-04T18:16:00-06:00",
                    "valid_until": "2026-05-04T22:00:00-06:00",
                }
            ],
            "answers": [{"sid": "SMreply"}],
        },
        "ledger": [
            sms("SM0", town.people["ana"], "Responda SI 4711", "p.ana"),
            {
                "kind": "answer",
                "answer": "SMreply",
                "phone": town.people["ana"],
                "channel": "sms",
                "words": "SI 4711",
                "to_sid": "SM0",
            },
            {"kind": "answer_taken", "answer": "SMreply", "taken": True},
            *(sms(f"SM{at}", phones[one], TEXT, f"w.{one}") for at, one in enumerate(RESIDENTS, start=1)),
        ],
    }
