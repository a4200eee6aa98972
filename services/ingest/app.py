"""Ingest put together: doors, the one way in, the relay, and what runs beside them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog
from fastapi import FastAPI

from schemas.topics import READINGS
from services.ingest.domain.sensors import Catalogue
from services.ingest.domain.series import Outcome
from services.ingest.domain.status import Report
from services.ingest.flows.acceptance import Acceptance, Delivery
from services.ingest.flows.publishing_again import PublishingAgain
from services.ingest.flows.reporting import Handed, Taken, take
from services.ingest.handlers.on_reading_published import TOPIC, OnReadingPublished
from services.ingest.inbound.admin import admin_router
from services.ingest.inbound.admin_status import Watch, status_router
from services.ingest.inbound.consuming import TOPICS, Consuming
from services.ingest.inbound.doorkeeper import Doorkeeper
from services.ingest.inbound.group_commit import GroupCommit
from services.ingest.inbound.http_readings import readings_router
from services.ingest.inbound.http_reports import ReportDoor, reports_router
from services.ingest.inbound.pressure import Pressure
from services.ingest.outbound import reports
from services.ingest.outbound.retention import rules
from services.ingest.outbound.source import BATCH, ReadingSource
from services.ingest.outbound.tables import RUNTIME
from services.ingest.outbound.ticks import SAVE_EVERY_S, SETTLE_S, Ticker
from services.ingest.settings import IngestSettings
from services.runtime import metrics
from services.runtime.clock import Clock, SystemClock
from services.runtime.database import Database
from services.runtime.dead_letter import DeadLetters
from services.runtime.disk import Disk
from services.runtime.errors import Retriable
from services.runtime.figures import Figures
from services.runtime.health import Health
from services.runtime.http import admin_guard, service_app
from services.runtime.kafka import kafka_publisher
from services.runtime.lease import Lease
from services.runtime.metrics import REGISTRY
from services.runtime.outbox import Outbox
from services.runtime.publishing import Publisher
from services.runtime.records import Record
from services.runtime.relay import Relay
from services.runtime.republish import republish_router
from services.runtime.retention import Retention
from services.runtime.signing import Verifier, load_verifier

log = structlog.get_logger()

SERVICE = "ingest"


class App:
    """Every part of ingest, wired; nothing runs until somebody calls it.

    Args:
        publisher: Stands for the broker in tests; without it the relay connects to Kafka.
        wall: The real time, by which keys expire and rows are forgotten.
    """

    def __init__(
        self,
        settings: IngestSettings,
        *,
        db: Database,
        clock: Clock,
        catalogue: Catalogue,
        publisher: Publisher | None = None,
        wall: Callable[[], datetime] | None = None,
        verifier: Verifier | None = None,
    ) -> None:
        self.settings = settings
        self.db = db
        self.clock = clock
        self.catalogue = catalogue
        self.wall = wall or SystemClock().now
        self.health = Health(SERVICE)
        self.outbox = Outbox(RUNTIME, None, SERVICE, clock)
        self.dead_letters = DeadLetters(RUNTIME, self.outbox, SERVICE)
        self.acceptance = Acceptance(catalogue)
        is_inside = settings.relay == "inside"
        self.ticker = Ticker(
            db,
            clock,
            settle_s=SETTLE_S if is_inside else 0.0,
            save_every_s=SAVE_EVERY_S if is_inside else 0.0,
        )
        self.relay = self._relay(publisher)
        self.group = GroupCommit(
            self._commit, lambda each: len(each.readings), waiting_most=settings.ingest_waiting_most
        )
        self.pressure = Pressure(db, settings, lambda: self.group.busy)
        self.disk = Disk(settings.data_dir)
        self.figures = Figures(db, self.outbox, {metrics.DEAD_WAITING: self.dead_letters.count})
        self.on_reading_published = OnReadingPublished(
            db,
            self.acceptance,
            self.dead_letters,
            self.outbox,
            clock=clock,
            wall=self.wall,
            poison_most=settings.ingest_poison_most,
        )
        self._trusted = verifier
        self.consuming = Consuming(db, self.dead_letters, self._verifier, clock=clock, wall=self.wall)
        self.retention = Retention(db, rules(settings), town=clock.now, wall=self.wall)
        self.http = self._http()

    async def consume(self, topic: str, records: Sequence[Record]) -> None:
        """Take in a batch of a topic's records.

        Raises:
            Retriable: The database is away; nothing of the batch was kept.
        """
        if topic in TOPICS:
            await self.consuming.take(records)
            return
        if topic != TOPIC:
            raise ValueError(f"ingest does not read topic {topic}")
        self.pressure.admit()
        counts = await self.on_reading_published.handle(records)
        log.debug("ingest.records_taken", **counts)

    async def accept(self, delivery: Delivery) -> Counter[Outcome]:
        """Take in one request's readings, in a commit shared with others; answer after it.

        Raises:
            QueueFull: Too much waits, or what is behind is full; nothing was stored.
        """
        self.pressure.admit()
        return await self.group.submit(delivery)

    async def report(self, handed: Handed) -> Taken:
        """Take in what somebody reports; answer after the commit."""
        async with self.db.transaction() as conn:
            taken = await take(conn, self.outbox, handed, received_at=self.clock.now(), stored_at=self.wall())
        if taken.is_new:
            log.info(
                "ingest.report_received",
                municipality=handed.municipality,
                report_id=taken.row.report_id,
                category=taken.row.category,
            )
        return taken

    async def find_report(self, municipality: str, report_id: str) -> Report | None:
        """Return how a report stands."""
        async with self.db.reading() as conn:
            return await reports.find(conn, municipality, report_id)

    async def _commit(self, deliveries: Sequence[Delivery]) -> list[Counter[Outcome]]:
        async with self.db.transaction() as conn:
            counts = await self.acceptance.accept(
                conn, deliveries, received_at=self.clock.now(), stored_at=self.wall()
            )
            await self.outbox.announce(conn)
        for delivery, count in zip(deliveries, counts, strict=True):
            if count[Outcome.QUARANTINED]:
                log.error(
                    "ingest.sensor_unknown",
                    municipality=delivery.municipality,
                    source=delivery.source,
                    readings=count[Outcome.QUARANTINED],
                )
        return counts

    def _verifier(self) -> Verifier:
        if self._trusted is None:
            self._trusted = load_verifier(self.settings.keys_path)
        return self._trusted

    def _relay(self, publisher: Publisher | None) -> Relay:
        holder = f"{SERVICE}-relay-{self.settings.slot}"

        async def connect() -> Publisher:
            return publisher or await kafka_publisher(self.settings, holder)

        return Relay(
            self.db,
            self.outbox,
            connect,
            Lease(self.db, RUNTIME, "relay", holder),
            self.clock,
            self.health,
            more_sources=[ReadingSource(self.clock.now, self.ticker.bind)],
            behind=self.ticker,
            batch=BATCH,
        )

    def _http(self) -> FastAPI:
        guard = admin_guard(self.settings.require_admin_token())
        watch = Watch(
            self.db,
            self.clock,
            self.relay,
            outbox=self.outbox,
            dead_letters=self.dead_letters,
            catalogue=self.catalogue,
            health=self.health,
            ticker=self.ticker if self.settings.relay == "inside" else None,
            waiting=lambda: self.group.busy,
            pressure=self.pressure,
            disk=self.disk,
        )
        http = service_app(SERVICE, self.health, REGISTRY)
        doorkeeper = Doorkeeper(self.db, self.wall)
        http.include_router(readings_router(doorkeeper, self.catalogue, self.clock.now, self.accept))
        door = ReportDoor(
            doorkeeper,
            self.catalogue,
            self.settings,
            now=self.clock.now,
            wall=self.wall,
            take=self.report,
            find=self.find_report,
        )
        http.include_router(reports_router(door))
        http.include_router(
            admin_router(
                guard, self.db, self.catalogue, self.dead_letters, self.wall, forget_keys=doorkeeper.forget
            )
        )
        http.include_router(status_router(guard, watch))
        again = PublishingAgain(self.db, self.outbox, self.catalogue)
        http.include_router(
            republish_router(guard, self.db, self.outbox, SERVICE, {READINGS.name: again.all_kept})
        )
        return http


async def ready(app: App) -> None:
    """Migrate the tables and learn where the clock stood, however long the database takes to come."""
    while True:
        try:
            await app.db.migrate(SERVICE)
            await app.ticker.load()
        except Retriable as err:
            app.health.fail("database", str(err))
            await asyncio.sleep(1)
        else:
            app.health.clear("database")
            return
