"""From Kafka to the read model: a batch is one transaction, and what was read stands beside what it made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import structlog
from faststream.kafka import KafkaBroker
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import EVERY_MUNICIPALITY, Envelope
from schemas.events.base import Event
from schemas.topics import TOPICS
from services.console.handlers import (
    on_alert_acknowledged,
    on_alert_dispatched,
    on_alert_escalated,
    on_coordinator_decided,
    on_decision_ruled,
    on_incident_classified,
    on_incident_closed,
    on_message_updated,
    on_municipality_activated,
    on_report_judged,
    on_report_received,
    on_task_assigned,
    on_task_updated,
    on_warning_authorised,
    on_warning_corrected,
    on_warning_lifted,
    on_warning_renewed,
    on_warning_requested,
)
from services.console.outbound import audit
from services.console.outbound.writing import Telling
from services.console.settings import SERVICE
from services.runtime.consumer import Consumer
from services.runtime.errors import OursMalformed, Refused
from services.runtime.kafka import subscribe
from services.runtime.records import Record, open_record

if TYPE_CHECKING:
    from services.console.app import App

log = structlog.get_logger()

Handler = Callable[[Telling, Any], Awaitable[None]]  # Any: each takes the event that it is named after

HANDLERS: Final[Mapping[str, Handler]] = {
    "alert.acknowledged": on_alert_acknowledged.handle,
    "alert.dispatched": on_alert_dispatched.handle,
    "alert.escalated": on_alert_escalated.handle,
    "coordinator.decided": on_coordinator_decided.handle,
    "decision.ruled": on_decision_ruled.handle,
    "incident.classified": on_incident_classified.handle,
    "incident.closed": on_incident_closed.handle,
    "message.updated": on_message_updated.handle,
    "municipality.activated": on_municipality_activated.handle,
    "report.judged": on_report_judged.handle,
    "report.received": on_report_received.handle,
    "task.assigned": on_task_assigned.handle,
    "task.updated": on_task_updated.handle,
    "warning.authorised": on_warning_authorised.handle,
    "warning.corrected": on_warning_corrected.handle,
    "warning.lifted": on_warning_lifted.handle,
    "warning.renewed": on_warning_renewed.handle,
    "warning.requested": on_warning_requested.handle,
}
READ: Final = tuple(topic.name for topic in TOPICS if any(SERVICE in kind.consumers for kind in topic.types))
LONGEST_MUNICIPALITY: Final = 64

Opened = tuple[Record, Envelope, Event] | tuple[Record, Refused]


def subscriptions(broker: KafkaBroker, app: App) -> list[Consumer]:
    """Subscribe to every topic that is kept without limit."""
    return [
        subscribe(
            broker,
            topic,
            service=SERVICE,
            slot=app.settings.slot,
            handle=app.handle,
            health=app.health,
            max_records=app.settings.console_max_records,
        )
        for topic in READ
    ]


async def take_all(app: App, records: Sequence[Record]) -> None:
    """Handle records in order, in one transaction.

    Raises:
        ReadFrom: Records before these are missing in the read model.
        OursMalformed: One cannot be read; those before it were handled.
        Retriable: The database is away; nothing was kept.
    """
    opened: list[Opened] = []
    malformed: OursMalformed | None = None
    for record in records:
        try:
            opened.append(_open(app, record))
        except OursMalformed as err:
            malformed = err
            break
    if opened:
        async with app.db.transaction() as conn:
            await app.positions.advance(conn, [each[0] for each in opened])
            for each in opened:
                await _tell(app, conn, each)
    if malformed is not None:
        raise malformed


def _open(app: App, record: Record) -> Opened:
    try:
        envelope, event = open_record(record, app.verifier)
    except Refused as refused:
        return record, refused
    if envelope.municipality == EVERY_MUNICIPALITY or len(envelope.municipality) > LONGEST_MUNICIPALITY:
        return record, Refused("municipality.unknown", "the record names no municipality")
    return record, envelope, event


async def _tell(app: App, conn: AsyncConnection, opened: Opened) -> None:
    if len(opened) == 2:
        await _refuse(app, conn, *opened)
        return
    record, envelope, event = opened
    telling = Telling(conn, envelope)
    await telling.note_heard(record.topic)
    if await app.inbox.first_time(conn, envelope.municipality, record.topic, envelope.id, envelope.time):
        await HANDLERS[event.TYPE](telling, event)


async def _refuse(app: App, conn: AsyncConnection, record: Record, refused: Refused) -> None:
    """Keep it as a dead letter; an attempt on authority is audited. Notify, not the console, pages."""
    now = app.clock.now()
    if not await app.dead_letters.add_refused(conn, record, refused, now):
        return
    if refused.is_attack:
        await audit.note(conn, record, refused, now)
    log.error(
        "console.record_refused",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason=refused.reason,
    )
