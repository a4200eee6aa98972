"""Triage put together: what a process runs, and what a story calls without a broker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property

import structlog
from fastapi import FastAPI

from schemas.events.municipality import MunicipalityActivated
from schemas.municipality import Municipality, load_all
from schemas.topics import DECISIONS, READINGS, REPORTS
from services.runtime import metrics
from services.runtime.clock import Clock, SystemClock
from services.runtime.database import Database
from services.runtime.dead_letter import DeadLetters
from services.runtime.fence import Ownership
from services.runtime.figures import Figures
from services.runtime.health import Health
from services.runtime.inbox import Inbox
from services.runtime.lease import Lease
from services.runtime.outbox import Outbox
from services.runtime.parking import Parking
from services.runtime.publishing import Publisher
from services.runtime.records import Record
from services.runtime.relay import Relay
from services.runtime.retention import Retention
from services.runtime.signing import Signer, Verifier, load_signer, load_verifier
from services.runtime.timers import Timers
from services.triage.flows.readings_batch import ReadingsBatch
from services.triage.flows.stage_two import WAITS, StageTwo
from services.triage.handlers.on_coordinator_decided import OnCoordinatorDecided
from services.triage.handlers.on_report_received import OnReportReceived
from services.triage.inbound.admin import admin_app
from services.triage.outbound.changes import ChangeStore
from services.triage.outbound.decisions import AuditStore, DecisionStore
from services.triage.outbound.events import activated
from services.triage.outbound.incidents import IncidentStore
from services.triage.outbound.retention import rules
from services.triage.outbound.sensor_cache import SensorCache
from services.triage.outbound.sensors import SensorStore
from services.triage.outbound.towns import TownStore
from services.triage.settings import SERVICE, TriageSettings
from services.triage.tables import runtime
from services.triage.towns import Towns

log = structlog.get_logger()

MakePublisher = Callable[[], Awaitable[Publisher]]


class App:
    """The composition of one process.

    Args:
        municipalities: By id; without it the folders that the settings name.
        make_publisher: How the relay reaches the broker; without it nothing leaves the outbox.
    """

    def __init__(
        self,
        settings: TriageSettings,
        *,
        db: Database,
        clock: Clock,
        municipalities: Mapping[str, Municipality] | None = None,
        make_publisher: MakePublisher | None = None,
        signer: Signer | None = None,
        verifier: Verifier | None = None,
        health: Health | None = None,
    ) -> None:
        self.settings, self.db, self.clock = settings, db, clock
        self.health = health or Health(SERVICE)
        self.owner = f"{SERVICE}-{settings.slot}"
        folders = municipalities if municipalities is not None else _folders(settings)
        self.towns = Towns(folders)
        self.cache = SensorCache()
        self.sensors, self.town_store, self.incidents = SensorStore(), TownStore(), IncidentStore()
        self.changes, self.audit, self.parking = ChangeStore(), AuditStore(), Parking(runtime)
        self.outbox = Outbox(runtime, signer or load_signer(settings.keys_path, SERVICE), SERVICE, clock)
        self.dead_letters = DeadLetters(runtime, self.outbox, SERVICE)
        self.timers = Timers(db, runtime, clock)
        self.stage_two = StageTwo(
            towns=self.towns,
            town_store=self.town_store,
            incidents=self.incidents,
            changes=self.changes,
            decisions=DecisionStore(),
            parking=self.parking,
            timers=self.timers,
            outbox=self.outbox,
            clock=clock,
            decision_waits=settings.decision_waits,
        )
        self.retention = Retention(db, rules(settings), town=clock.now, wall=SystemClock().now)
        self.figures = Figures(
            db,
            self.outbox,
            {metrics.DEAD_WAITING: self.dead_letters.count, metrics.TIMERS_LATE: self.timers.overdue},
        )
        self.timers.on(WAITS, self.stage_two.expire)
        self.ownership = Ownership(db, runtime, self.owner, self._forget)
        self.batch = ReadingsBatch(db, self.towns, self.ownership, self.cache, self.sensors, self.stage_two)
        self.on_coordinator_decided = OnCoordinatorDecided(
            db=db,
            towns=self.towns,
            stage_two=self.stage_two,
            verifier=verifier or load_verifier(settings.keys_path),
            dead_letters=self.dead_letters,
            audit=self.audit,
            clock=clock,
        )
        self.on_report_received = OnReportReceived(
            db=db,
            towns=self.towns,
            stage_two=self.stage_two,
            inbox=Inbox(runtime),
            dead_letters=self.dead_letters,
            clock=clock,
        )
        self.relay = Relay(
            db,
            self.outbox,
            make_publisher or _no_publisher,
            Lease(db, runtime, "relay", self.owner),
            clock,
            self.health,
        )

    @cached_property
    def http(self) -> FastAPI:
        return admin_app(self)

    async def start(self) -> None:
        """Bring the tables up to date and say which folders are in force."""
        await self.db.migrate(SERVICE)
        for municipality, folder in sorted(self.towns.folders.items()):
            await self._activate(municipality, folder)

    async def handle(self, records: Sequence[Record]) -> None:
        """Handle one batch of one topic; what the subscriptions call."""
        if records[0].topic == READINGS.name:
            await self.batch.handle(records)
            return
        one = self.on_report_received if records[0].topic == REPORTS.name else self.on_coordinator_decided
        for record in records:
            await one(record)

    async def consume(self, topic: str, records: Sequence[Record]) -> None:
        """Handle records without a broker: what was not taken yet is taken first."""
        if topic not in {READINGS.name, DECISIONS.name, REPORTS.name}:
            raise ValueError(f"triage does not consume {topic}")
        if topic == READINGS.name:
            places = {(record.topic, record.partition) for record in records}
            if not places <= self.ownership.epochs.keys():
                await self.ownership.take(sorted(places | self.ownership.epochs.keys()))
        await self.handle(records)

    def _forget(self) -> None:
        self.cache.drop()
        self.town_store.forget()

    async def _activate(self, municipality: str, folder: Municipality) -> None:
        async with self.db.transaction() as conn:
            await self.town_store.create(conn, municipality)
            await self.town_store.lock(conn, municipality)
            if await self.town_store.folder_hash(conn, municipality) == folder.folder_hash:
                return
            now = self.clock.now()
            await self.town_store.activate(conn, municipality, folder.folder_hash)
            event = MunicipalityActivated(
                folder_hash=folder.folder_hash, rulebook_version=folder.rulebook_version, activated_at=now
            )
            await self.outbox.add(conn, municipality, [activated(municipality, event, at=now)])
        log.info("triage.municipality_activated", municipality=municipality, folder_hash=folder.folder_hash)


def _folders(settings: TriageSettings) -> Mapping[str, Municipality]:
    return load_all(
        settings.municipalities_dir, keys_dir=settings.keys_path, environment=settings.environment
    )


async def _no_publisher() -> Publisher:
    raise ConnectionError("no broker is configured here")
