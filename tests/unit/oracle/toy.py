"""A toy run, as evidence: one gauge rises, a page is answered, two residents are warned."""

from __future__ import annotations

import base64
from typing import Any

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
