"""From a Kafka record to its handler, each in a transaction of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import structlog
from faststream.kafka import KafkaBroker

from schemas.envelope import EVERY_MUNICIPALITY, Envelope
from schemas.events.decisions import CoordinatorDecided, DecisionRuled
from schemas.events.incidents import IncidentClassified, IncidentClosed
from schemas.topics import DECISIONS, INCIDENTS
from services.notify.flows import intrusion
from services.notify.handlers import (
    on_coordinator_decided,
    on_decision_ruled,
    on_incident_classified,
    on_incident_closed,
)
from services.notify.settings import SERVICE
from services.notify.work import Work
from services.runtime.consumer import Consumer
from services.runtime.errors import OursMalformed, Refused
from services.runtime.kafka import subscribe
from services.runtime.records import Record, open_record

if TYPE_CHECKING:
    from schemas.events.base import Event
    from services.notify.app import App

log = structlog.get_logger()

TOPICS: Final = (INCIDENTS.name, DECISIONS.name)


def subscriptions(broker: KafkaBroker, app: App) -> list[Consumer]:
    """Subscribe to incidents and decisions; both are recognised by version or id when they come again."""
    return [
        subscribe(
            broker,
            topic,
            service=SERVICE,
            slot=app.settings.slot,
            handle=app.handle,
            health=app.health,
            max_records=app.settings.incidents_max_records,
        )
        for topic in TOPICS
    ]


async def take_all(app: App, records: Sequence[Record]) -> None:
    """Handle records in order.

    Raises:
        OursMalformed: One cannot be read; those before it were handled.
        Retriable: The database is away; nothing of that record was kept.
    """
    for record in records:
        await _take(app, record)


async def _take(app: App, record: Record) -> None:
    try:
        envelope, event = _open(app, record)
        async with app.db.transaction() as conn:
            await _dispatch(app.work(conn, envelope.municipality, envelope), event)
    except Refused as refused:
        await _refuse(app, record, refused)


def _open(app: App, record: Record) -> tuple[Envelope, Event]:
    envelope, event = open_record(record, app.verifier)
    if envelope.municipality not in app.towns:
        # Triage has loaded a folder that this process has not: stopping loses nothing, a restart reads it.
        why = f"no folder of municipality {envelope.municipality} is loaded here: restart notify"
        raise OursMalformed(record.topic, record.partition, record.offset, why)
    return envelope, event


async def _dispatch(work: Work, event: Event) -> None:
    if isinstance(event, IncidentClassified):
        await on_incident_classified.handle(work, event)
    elif isinstance(event, IncidentClosed):
        await on_incident_closed.handle(work, event)
    elif isinstance(event, CoordinatorDecided):
        await on_coordinator_decided.handle(work, event)
    elif isinstance(event, DecisionRuled):
        await on_decision_ruled.handle(work, event)


async def _refuse(app: App, record: Record, refused: Refused) -> None:
    """Keep it as a dead letter; an attempt on authority is audited and paged."""
    municipality = _municipality_in(app, record)
    async with app.db.transaction() as conn:
        now = app.clock.now()
        is_new = await app.dead_letters.add_refused(conn, record, refused, now)
        if is_new and refused.is_attack:
            await intrusion.note(app, conn, municipality, record, refused, now)
    log.error(
        "notify.record_refused",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason=refused.reason,
    )


def _municipality_in(app: App, record: Record) -> str:
    named = next((raw for name, raw in record.headers if name == "ce_municipality"), b"")
    text = named.decode("utf-8", "replace")
    return text if text in app.towns else EVERY_MUNICIPALITY
