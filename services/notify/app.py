"""Notify put together: what a process runs, and what a story calls without a broker or a carrier."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Envelope
from schemas.municipality import Municipality, load_all
from services.notify.errors import UnknownTown
from services.notify.flows import replies, tampering
from services.notify.inbound import consuming
from services.notify.inbound.admin import admin_app
from services.notify.inbound.resolve import Resolver
from services.notify.inbound.spool_pull import SpoolPull
from services.notify.inbound.timers import Alarms
from services.notify.outbound import recipients, views
from services.notify.outbound.carrier import Carrier
from services.notify.outbound.deliveries import Deliveries
from services.notify.outbound.message_events import MessageEvents
from services.notify.outbound.outcomes import Outcomes
from services.notify.outbound.phones import PhoneCipher
from services.notify.outbound.retention import rules
from services.notify.outbound.sender import Sender, lease_s
from services.notify.outbound.steady import real_clock
from services.notify.outbound.sweeps import Sweeps
from services.notify.settings import SERVICE, NotifySettings
from services.notify.tables import runtime
from services.notify.texts import catalogue
from services.notify.work import Work
from services.runtime import metrics
from services.runtime.clock import Clock, SystemClock
from services.runtime.database import Database, after_commit
from services.runtime.dead_letter import DeadLetters
from services.runtime.errors import WrongSetting
from services.runtime.figures import Figures
from services.runtime.health import Health
from services.runtime.lease import Lease
from services.runtime.outbox import Outbox
from services.runtime.publishing import Publisher
from services.runtime.records import Record
from services.runtime.relay import Relay
from services.runtime.retention import Retention
from services.runtime.signing import Signer, Verifier, load_signer, load_verifier
from services.runtime.timers import Timers

MakePublisher = Callable[[], Awaitable[Publisher]]


class App:
    """The composition of one process.

    Args:
        municipalities: By id; without it the folders that the settings name.
        make_publisher: How the relay reaches the broker; without it nothing leaves the outbox.
        carrier: The port to the carrier; without it nothing is sent (``sender`` is ``None``).
        real: Clock of technical waits; a story gives its own.
    """

    def __init__(
        self,
        settings: NotifySettings,
        *,
        db: Database,
        clock: Clock,
        municipalities: Mapping[str, Municipality] | None = None,
        make_publisher: MakePublisher | None = None,
        carrier: Carrier | None = None,
        signer: Signer | None = None,
        verifier: Verifier | None = None,
        health: Health | None = None,
        real: Clock | None = None,
    ) -> None:
        self.settings, self.db, self.clock = settings, db, clock
        self.health = health or Health(SERVICE)
        self.towns = dict(municipalities if municipalities is not None else _folders(settings))
        self.cipher = PhoneCipher(settings.require_phone_key())
        self.outbox = Outbox(runtime, signer or load_signer(settings.keys_path, SERVICE), SERVICE, clock)
        self.verifier = verifier or load_verifier(settings.keys_path)
        self.dead_letters = DeadLetters(runtime, self.outbox, SERVICE)
        self.timers = Timers(db, runtime, clock)
        self.figures = Figures(
            db,
            self.outbox,
            {
                metrics.DEAD_WAITING: self.dead_letters.count,
                metrics.TIMERS_LATE: self.timers.overdue,
                metrics.UNDELIVERED_AGE: functools.partial(views.undelivered_s, now=clock.now),
            },
        )
        self.alarms = Alarms(self)
        self.retention = Retention(db, rules(settings), town=clock.now, wall=SystemClock().now)
        self.deliveries = Deliveries(
            clock,
            real or real_clock(clock),
            self.cipher,
            MessageEvents(self.outbox),
            lease_s=lease_s(settings),
        )
        self.deliveries.on_broken = functools.partial(tampering.on_broken, self)
        self.outcomes = Outcomes(
            self.deliveries,
            unresolved_after_s=settings.unresolved_after_s,
            poll_after_s=settings.poll_after_s,
        )
        self.sweeps: Sweeps | None = None
        self.sender: Sender | None = None
        self.pull: SpoolPull | None = None
        if carrier is not None:
            self.send_through(carrier)
        self.resolver = Resolver(
            db=db,
            deliveries=self.deliveries,
            outcomes=self.outcomes,
            cipher=self.cipher,
            tokens=settings.tokens,
            senders=self.senders,
            on_reply=functools.partial(replies.on_reply, self),
            on_keypress=functools.partial(replies.on_keypress, self),
            on_link=functools.partial(replies.on_link, self),
        )
        self.relay = Relay(
            db,
            self.outbox,
            make_publisher or _no_publisher,
            Lease(db, runtime, "relay", f"{SERVICE}-{settings.slot}"),
            clock,
            self.health,
        )

    @cached_property
    def http(self) -> FastAPI:
        return admin_app(self)

    def send_through(self, carrier: Carrier) -> Sender:
        """Make the sending half; the carrier's client wants a running loop, so it may come later."""
        settings = self.settings
        self.sweeps = Sweeps(
            self.db,
            self.deliveries,
            self.outcomes,
            carrier,
            unresolved_after_s=settings.unresolved_after_s,
            poll_after_s=settings.poll_after_s,
            list_patience_s=settings.list_patience_s,
        )
        self.sender = Sender(
            db=self.db,
            deliveries=self.deliveries,
            outcomes=self.outcomes,
            sweeps=self.sweeps,
            carrier=carrier,
            settings=settings,
            senders=self.senders,
            health=self.health,
        )
        return self.sender

    def senders(self) -> Mapping[str, str]:
        """Return the number that each town's messages come from."""
        return {town: folder.town.sender.number for town, folder in self.towns.items()}

    def work(self, conn: AsyncConnection, municipality: str, envelope: Envelope | None = None) -> Work:
        """Return the work of one transaction for one town, told by ``envelope`` where there is one.

        Raises:
            UnknownTown: Its folder is not here.
        """
        town = self.towns.get(municipality)
        if town is None:
            raise UnknownTown(municipality)
        if self.sender is not None:
            wake = functools.partial(self.sender.wake, municipality)
            after_commit(conn, (self.sender, municipality), wake)
        return Work(
            app=self,
            conn=conn,
            town=town,
            now=self.clock.now(),
            correlation_id=(envelope.correlation_id or envelope.id) if envelope else None,
            causation_id=envelope.id if envelope else None,
            exercise_id=envelope.exercise_id if envelope else None,
        )

    async def start(self) -> None:
        """Bring the tables up to date and take over people and residents of the folders.

        Raises:
            WrongSetting: A folder asks for a text that no catalogue has.
        """
        for town in self.towns.values():
            _check_texts(town)
        await self.db.migrate(SERVICE)
        for town in self.towns.values():
            await self.import_folder(town)

    async def import_folder(self, town: Municipality) -> None:
        """Make the folder's people those who are paged, and add the residents it brings."""
        now = self.clock.now()
        async with self.db.transaction() as conn:
            await recipients.keep_people(conn, town.id, town.directory, self.cipher, now)
            await recipients.keep_residents(conn, town.id, town.residents, self.cipher, now)

    async def handle(self, records: Sequence[Record]) -> None:
        """Handle one batch of one topic; what the subscriptions call."""
        await consuming.take_all(self, records)

    async def consume(self, topic: str, records: Sequence[Record]) -> None:
        """Handle records without a broker."""
        if topic not in consuming.TOPICS:
            raise ValueError(f"notify does not consume {topic}")
        await self.handle(records)


def _folders(settings: NotifySettings) -> Mapping[str, Municipality]:
    return load_all(
        settings.municipalities_dir, keys_dir=settings.keys_path, environment=settings.environment
    )


def _check_texts(town: Municipality) -> None:
    texts = catalogue(town.town.languages[0])
    for protocol in town.protocols.protocols:
        name = protocol.warning.template if protocol.warning else None
        if name is not None and not texts.has(f"warning.{name}.text"):
            raise WrongSetting(f"MUNICIPIO_MUNICIPALITIES_DIR: {town.id}: no text is called {name!r}")


async def _no_publisher() -> Publisher:
    raise ConnectionError("no broker is configured here")
