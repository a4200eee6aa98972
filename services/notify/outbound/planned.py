"""Write single messages to people on duty, and what tells who was told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import Channel, MessageState, Purpose
from services.notify.domain import names
from services.notify.domain.lanes import expires_at, lane_of
from services.notify.outbound import bodies
from services.notify.tables import delivery
from services.runtime.database import insert_into


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one person, ready to be sent. ``round`` keeps a second one of the same alert apart."""

    alert_id: str
    incident_id: str
    recipient_id: str
    purpose: Purpose
    channel: Channel
    round: int
    text: str
    language: str
    warning_id: str | None = None
    version: int | None = None
    exercise_id: str | None = None
    correlation_id: str | None = None


async def plan(conn: AsyncConnection, municipality: str, message: Message, at: datetime) -> bool:
    """Write it as planned; say whether this person had none yet by this channel in this round."""
    voice = message.channel is Channel.VOICE
    body_id = await bodies.keep(conn, municipality, message.text, message.language, voice=voice)
    row = {
        "municipality": municipality,
        "message_id": names.message_id(
            message.alert_id, message.recipient_id, message.channel.value, message.round
        ),
        "alert_id": message.alert_id,
        "incident_id": message.incident_id,
        "warning_id": message.warning_id,
        "version": message.version,
        "purpose": message.purpose.value,
        "channel": message.channel.value,
        "round": message.round,
        "recipient_id": message.recipient_id,
        "body_id": body_id,
        "lane": lane_of(message.purpose),
        "state": MessageState.PLANNED.value,
        "next_attempt_at": at,
        "expires_at": expires_at(message.purpose, at),
        "exercise_id": message.exercise_id,
        "correlation_id": message.correlation_id,
        "planned_at": at,
        "updated_at": at,
    }
    insert = insert_into(conn, delivery).values(row).on_conflict_do_nothing()
    return (await conn.execute(insert)).rowcount == 1
