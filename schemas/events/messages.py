"""Topic ``messages``: the fate of single messages. Ids only: never a number, a name or a text."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from schemas.events.base import Event, Id, Moment, Part
from schemas.vocabulary import Channel, MessageState, Purpose


class MessageStatus(Part):
    """State of one message. ``code`` is the carrier's error code where there is one."""

    message_id: Id
    recipient_id: Id
    channel: Channel
    purpose: Purpose
    state: MessageState
    at: Moment
    warning_id: Id | None = None
    version: int | None = None
    code: int | None = None


class MessageUpdated(Event):
    TYPE: ClassVar[str] = "message.updated"

    incident_id: Id
    messages: Annotated[tuple[MessageStatus, ...], Field(min_length=1, max_length=500)]
