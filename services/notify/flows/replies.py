"""What is done with an answer, whatever door it came by."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

if TYPE_CHECKING:
    from services.notify.app import App


async def on_reply(
    app: App,
    conn: AsyncConnection,
    *,
    municipality: str,
    recipient_id: str,
    text: str,
    received_at: datetime,
    provider_id: str,
) -> None:
    """Record an inbound SMS and do what it asks; once per ``provider_id``, in the transaction of ``conn``.

    Args:
        app: The service.
        conn: An open write transaction.
        municipality: The town that the door resolved: by the number written to, else by the code.
        recipient_id: Who wrote, known by the number.
        text: The words as the phone sent them.
        received_at: When the door stored the request.
        provider_id: The carrier's id of the message; a repeat does nothing.
    """
    raise NotImplementedError


async def on_keypress(
    app: App,
    conn: AsyncConnection,
    *,
    municipality: str,
    message_id: str,
    digits: str,
    received_at: datetime,
    provider_id: str,
) -> None:
    """Record the digits pressed in the call ``message_id``; once per ``provider_id``.

    ``1`` acknowledges, ``2`` passes to the next person, four digits are the person's code: they approve where
    the call asked for authority, else acknowledge. Anything else is recorded and does nothing.
    """
    raise NotImplementedError
