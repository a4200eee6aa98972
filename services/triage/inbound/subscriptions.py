"""Which topics triage reads, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from faststream.kafka import KafkaBroker

from schemas.topics import DECISIONS, READINGS, REPORTS
from services.runtime.consumer import Consumer
from services.runtime.kafka import ONE_BY_ONE_MAX, subscribe
from services.triage.settings import SERVICE

if TYPE_CHECKING:
    from services.triage.app import App

FETCH_BYTES: Final = 3 << 20
"""Of one partition at once: some thirty full records, so that a backlog is folded in few transactions."""


def subscriptions(broker: KafkaBroker, app: App) -> list[Consumer]:
    """Subscribe to readings, under the partitions' fence, and to what people say, recognised by its id."""
    readings = subscribe(
        broker,
        READINGS.name,
        service=SERVICE,
        slot=app.settings.slot,
        handle=app.handle,
        health=app.health,
        max_records=app.settings.readings_max_records,
        partition_fetch_bytes=FETCH_BYTES,
        ownership=app.ownership,
    )
    said = [
        subscribe(
            broker,
            topic,
            service=SERVICE,
            slot=app.settings.slot,
            handle=app.handle,
            health=app.health,
            max_records=ONE_BY_ONE_MAX,
        )
        for topic in (DECISIONS.name, REPORTS.name)
    ]
    return [readings, *said]
