"""Gauges of the tables: set from what stands there, left alone while the database is away."""

from __future__ import annotations

from datetime import timedelta

from prometheus_client import CollectorRegistry, Gauge

from schemas.vocabulary import Lane
from services.runtime.clock import HandClock
from services.runtime.database import Database
from services.runtime.errors import DatabaseDown
from services.runtime.figures import Figures
from services.runtime.metrics import REGISTRY
from services.runtime.outbox import Outbox
from tests.unit.runtime.conftest import START, outgoing

AGE = "municipio_outbox_oldest_age_seconds"


async def test_gauges_follow_the_tables(db: Database, clock: HandClock, outbox: Outbox) -> None:
    """Each lane has its age, 0 where nothing waits; what cannot be asked keeps its value."""
    registry = CollectorRegistry()
    gauge, answers = Gauge("late", "late", registry=registry), [3.0]

    async def ask(_conn: object) -> float:
        if not answers:
            raise DatabaseDown("away")
        return answers.pop()

    figures = Figures(db, outbox, {gauge: ask})
    async with db.transaction() as conn:
        await outbox.add(conn, "ejemplo", [outgoing("e-1", lane=Lane.INCIDENTS)])
    clock.set(START + timedelta(seconds=40))
    for _ in range(2):
        await figures.measure()
        assert REGISTRY.get_sample_value(AGE, {"lane": "incidents"}) == 40
        assert REGISTRY.get_sample_value(AGE, {"lane": "reports"}) == 0
        assert registry.get_sample_value("late") == 3
