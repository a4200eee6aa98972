"""The console put together: what a process runs, and what a test calls without a broker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property

import structlog
from fastapi import FastAPI

from schemas.municipality import Municipality, load_all
from services.console.inbound import consuming
from services.console.inbound.api import http_app
from services.console.inbound.following import Following
from services.console.outbound import rebuilding
from services.console.outbound.retention import rules
from services.console.settings import SERVICE, ConsoleSettings
from services.console.tables import runtime
from services.runtime import metrics
from services.runtime.clock import Clock, SystemClock
from services.runtime.database import Database
from services.runtime.dead_letter import DeadLetters
from services.runtime.figures import Figures
from services.runtime.health import Health
from services.runtime.http import Problem
from services.runtime.inbox import Inbox
from services.runtime.lease import Lease
from services.runtime.outbox import Outbox
from services.runtime.positions import Positions
from services.runtime.publishing import Publisher
from services.runtime.records import Record
from services.runtime.relay import Relay
from services.runtime.retention import Retention
from services.runtime.signing import Verifier, load_verifier

log = structlog.get_logger()

MakePublisher = Callable[[], Awaitable[Publisher]]


class App:
    """The composition of one process. It decides nothing and signs nothing.

    Args:
        municipalities: By id, for the towns' own words for levels; without it the folders of the settings.
        make_publisher: How the relay reaches the broker with what was refused.
    """

    def __init__(
        self,
        settings: ConsoleSettings,
        *,
        db: Database,
        clock: Clock,
        municipalities: Mapping[str, Municipality] | None = None,
        make_publisher: MakePublisher | None = None,
        verifier: Verifier | None = None,
        health: Health | None = None,
    ) -> None:
        self.settings, self.db, self.clock = settings, db, clock
        self.health = health or Health(SERVICE)
        self.towns = dict(municipalities if municipalities is not None else _folders(settings))
        self.verifier = verifier or load_verifier(settings.keys_path)
        owner = f"{SERVICE}-{settings.slot}"
        self.outbox = Outbox(runtime, None, SERVICE, clock)
        self.dead_letters = DeadLetters(runtime, self.outbox, SERVICE)
        self.figures = Figures(db, self.outbox, {metrics.DEAD_WAITING: self.dead_letters.count})
        self.inbox = Inbox(runtime)
        self.positions = Positions(runtime, owner)
        self.retention = Retention(db, rules(settings), town=clock.now, wall=SystemClock().now)
        self.following = Following(db, self.positions)
        self.relay = Relay(
            db,
            self.outbox,
            make_publisher or _no_publisher,
            Lease(db, runtime, "relay", owner),
            clock,
            self.health,
        )

    @cached_property
    def http(self) -> FastAPI:
        return http_app(self)

    def labels(self, municipality: str) -> Mapping[int, str]:
        """Return the town's own words for the levels.

        Raises:
            Problem: 404, no such town here.
        """
        folder = self.towns.get(municipality)
        if folder is None:
            raise Problem(404, "Not found", f"no municipality {municipality!r} here")
        return dict(enumerate(folder.town.level_labels))

    async def start(self) -> None:
        """Bring the tables up to date."""
        await self.db.migrate(SERVICE)

    async def handle(self, records: Sequence[Record]) -> None:
        """Handle one batch of one topic; what the subscriptions call."""
        await consuming.take_all(self, records)

    async def consume(self, topic: str, records: Sequence[Record]) -> None:
        """Handle records without a broker."""
        if topic not in consuming.READ:
            raise ValueError(f"the console does not consume {topic}")
        await self.handle(records)

    async def rebuild(self) -> None:
        """Throw the read model away and read the topics again from their beginning."""
        async with self.db.transaction() as conn:
            await rebuilding.drop(conn, self.positions)
        for consumer in self.following.consumers:
            consumer.read_from(dict.fromkeys(await consumer.positions(), 0))
        log.info("console.read_model_dropped")


def _folders(settings: ConsoleSettings) -> Mapping[str, Municipality]:
    return load_all(
        settings.municipalities_dir, keys_dir=settings.keys_path, environment=settings.environment
    )


async def _no_publisher() -> Publisher:
    raise ConnectionError("no broker is configured here")
