"""Resources in the shape of the 2010-04-01 API."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from tests.support.fake_twilio.calls import Call
from tests.support.fake_twilio.messages import Message

API = "2010-04-01"


def message_json(account: str, message: Message) -> dict[str, Any]:
    uri = f"/{API}/Accounts/{account}/Messages/{message.sid}"
    return {
        "account_sid": account,
        "api_version": API,
        "body": message.body,
        "date_created": _rfc2822(message.created_at),
        "date_sent": _rfc2822(message.sent_at),
        "date_updated": _rfc2822(message.updated_at),
        "direction": message.direction,
        "error_code": message.error_code,
        "error_message": None,
        "from": message.sender if message.service is None or message.sent_at else None,
        "messaging_service_sid": message.service,
        "num_media": "0",
        "num_segments": str(message.segments),
        "price": None,
        "price_unit": "USD",
        "sid": message.sid,
        "status": message.status,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": message.to,
        "uri": f"{uri}.json",
    }


def call_json(account: str, call: Call) -> dict[str, Any]:
    return {
        "account_sid": account,
        "annotation": None,
        "answered_by": call.answered_by,
        "api_version": API,
        "caller_name": None,
        "date_created": _rfc2822(call.created_at),
        "date_updated": _rfc2822(call.updated_at),
        "direction": "outbound-api",
        "duration": str(call.duration_s) if call.ended_at else None,
        "end_time": _rfc2822(call.ended_at),
        "forwarded_from": None,
        "from": call.order.sender,
        "from_formatted": call.order.sender,
        "group_sid": None,
        "parent_call_sid": None,
        "phone_number_sid": None,
        "price": None,
        "price_unit": "USD",
        "queue_time": "0",
        "sid": call.sid,
        "start_time": _rfc2822(call.started_at),
        "status": call.status,
        "subresource_uris": {},
        "to": call.order.to,
        "to_formatted": call.order.to,
        "trunk_sid": None,
        "uri": f"/{API}/Accounts/{account}/Calls/{call.sid}.json",
    }


def page_json(key: str, rows: Sequence[dict[str, Any]], path: str, page: int, size: int) -> dict[str, Any]:
    """Return one page of a list that holds ``rows`` in all; ``path`` is the request's with its filters."""
    start = page * size
    shown = list(rows[start : start + size])

    def uri(number: int) -> str:
        return f"{path}{'&' if '?' in path else '?'}PageSize={size}&Page={number}"

    return {
        key: shown,
        "page": page,
        "page_size": size,
        "start": start,
        "end": start + max(0, len(shown) - 1),
        "uri": uri(page),
        "first_page_uri": uri(0),
        "next_page_uri": uri(page + 1) if start + size < len(rows) else None,
        "previous_page_uri": uri(page - 1) if page else None,
    }


def _rfc2822(moment: datetime | None) -> str | None:
    return format_datetime(moment.replace(microsecond=0)) if moment else None
