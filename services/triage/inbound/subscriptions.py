"""Which topics triage reads, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faststream.kafka import KafkaBroker

from schemas.topics import DECISIONS, READINGS
from services.runtime.consumer import Consumer
from services.runtime.kafka import subscribe
from services.triage.settings import SERVICE

if TYPE_CHECKING:
    from services.triage.app import App


def subscriptions(broker: KafkaBroker, app: App) -> list[Consumer]:
    """Subscribe to readings, under the partitions' fence, and to decisions, which are recognised by id."""
    readings = subscribe(
        broker,
        READINGS.name,
        service=SERVICE,
        slot=app.settings.slot,
        handle=app.handle,
        health=app.health,
        max_records=app.settings.readings_max_records,
        ownership=app.ownership,
    )
    decisions = subscribe(
        broker,
        DECISIONS.name,
        service=SERVICE,
        slot=app.settings.slot,
        handle=app.handle,
        health=app.health,
    )
    return [readings, decisions]
