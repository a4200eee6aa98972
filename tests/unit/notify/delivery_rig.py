"""A notify database with messages in it, and a carrier that does what it is told."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from schemas.vocabulary import Channel, MessageState, Purpose
from services.notify.carrier_settings import CarrierSettings
from services.notify.domain import names
from services.notify.outbound.carrier import Accepted, Listed, NotSent, Order, Outcome
from services.notify.outbound.deliveries import Deliveries
from services.notify.outbound.message_events import MessageEvents
from services.notify.outbound.outcomes import Outcomes
from services.notify.outbound.phones import PhoneCipher
from services.notify.outbound.sender import Sender
from services.notify.outbound.sweeps import Sweeps
from services.notify.tables import body, delivery, metadata, recipient, runtime
from services.runtime.clock import HandClock
from services.runtime.database import Database
from services.runtime.outbox import Outbox

TOWN = "ejemplo"
OURS = "+50370009999"
START = datetime(2024, 5, 6, 2, 40, tzinfo=UTC)
CIPHER = PhoneCipher(b"k" * 32)

Script = Callable[[Order], Outcome]


@dataclass
class TellingCarrier:
    """Accepts everything unless told otherwise, and remembers every text that truly left."""

    clock: HandClock
    script: list[Script] = field(default_factory=list)
    left: list[Order] = field(default_factory=list)
    resources: dict[str, Listed] = field(default_factory=dict)
    answers_lists: bool = True
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def send(self, order: Order) -> Outcome:
        step = self.script.pop(0) if self.script else None
        return step(order) if step else self.accept(order)

    def accept(self, order: Order) -> Accepted:
        """Take the message, as a carrier does whose answer may still get lost."""
        sid = f"SM{next(self._numbers):032d}"
        self.left.append(order)
        self.resources[sid] = Listed(sid, "queued", order.text, self.clock.now())
        return Accepted(sid)

    async def sent_to(self, channel: Channel, to: str, sender: str, since: datetime) -> list[Listed] | None:
        if not self.answers_lists:
            return None
        sent = [r for r in self.resources.values() if r.created_at is None or r.created_at >= since]
        return list(reversed(sent))

    async def look_up(self, channel: Channel, sid: str) -> Listed | None:
        return self.resources.get(sid) if self.answers_lists else None

    def says(self, sid: str, status: str, code: int | None = None) -> None:
        before = self.resources[sid]
        self.resources[sid] = Listed(sid, status, before.body, before.created_at, code)


@dataclass
class Rig:
    db: Database
    clock: HandClock
    real: HandClock
    carrier: TellingCarrier
    deliveries: Deliveries
    outcomes: Outcomes
    sweeps: Sweeps
    sender: Sender
    outbox: Outbox

    async def plan(self, message_id: str = "m-1", town: str = TOWN, **columns: Any) -> str:
        """Write one planned message; its recipient's number ends as its own id does."""
        text = columns.pop("text", f"Rio Claro 3.02 m. {message_id}")
        channel = columns.pop("channel", Channel.SMS)
        body_id = names.body_id("es", channel is Channel.VOICE, text)
        person = columns.pop("recipient_id", f"p-{message_id}")
        row = {
            "municipality": town,
            "message_id": message_id,
            "alert_id": f"a-{message_id}",
            "incident_id": "i-1",
            "purpose": Purpose.PAGE.value,
            "channel": channel.value,
            "round": 0,
            "recipient_id": person,
            "body_id": body_id,
            "lane": 0,
            "rank": 0.0,
            "state": MessageState.PLANNED.value,
            "attempt": 0,
            "next_attempt_at": self.clock.now(),
            "expires_at": self.clock.now() + timedelta(minutes=10),
            "planned_at": self.clock.now(),
            "updated_at": self.clock.now(),
        }
        digits = sum(ord(letter) for letter in person) % 10_000
        async with self.db.transaction() as conn:
            insert = self.db.insert
            await conn.execute(
                insert(recipient)
                .values(
                    municipality=town,
                    recipient_id=person,
                    kind="person",
                    phone_enc=CIPHER.seal(f"+5037000{digits:04d}"),
                    phone_index=CIPHER.index(f"+5037000{digits:04d}"),
                    imported_at=self.clock.now(),
                )
                .on_conflict_do_nothing()
            )
            words = {"municipality": town, "body_id": body_id, "text": text, "language": "es"}
            voiced = words | {"voice": channel is Channel.VOICE}
            await conn.execute(insert(body).values(voiced).on_conflict_do_nothing())
            await conn.execute(sa.insert(delivery).values(row | columns))
        return message_id

    async def row(self, message_id: str = "m-1", town: str = TOWN) -> Any:
        async with self.db.reading() as conn:
            found = await conn.execute(
                sa.select(delivery).where(
                    delivery.c.municipality == town, delivery.c.message_id == message_id
                )
            )
            return found.one()

    async def rows(self) -> list[Any]:
        async with self.db.reading() as conn:
            return list((await conn.execute(sa.select(delivery).order_by(delivery.c.planned_at))).all())

    async def told(self) -> list[tuple[str, str]]:
        """Return (message, state) of every ``message.updated`` in the outbox, in order."""
        async with self.db.reading() as conn:
            values = await conn.execute(sa.select(runtime.outbox.c.value).order_by(runtime.outbox.c.seq))
            events = [json.loads(value) for value in values.scalars()]
        return [(each["message_id"], each["state"]) for event in events for each in event["messages"]]

    def wait(self, seconds: float) -> None:
        """Let real and town time pass."""
        self.clock.wait(timedelta(seconds=seconds))
        self.real.wait(timedelta(seconds=seconds))


@asynccontextmanager
async def rig(url: str, **settings: Any) -> AsyncIterator[Rig]:
    db = Database(url)
    await db.create_all(metadata)
    clock, real = HandClock(START), HandClock(START)
    chosen = CarrierSettings(sms_segments_per_s=10_000, calls_per_s=1_000, **settings)
    outbox = Outbox(runtime, None, "notify", clock)
    deliveries = Deliveries(clock, real, CIPHER, MessageEvents(outbox))
    outcomes = Outcomes(deliveries, jitter=lambda: 0.0)
    carrier = TellingCarrier(clock)
    sweeps = Sweeps(db, deliveries, outcomes, carrier)
    sender = Sender(
        db=db,
        deliveries=deliveries,
        outcomes=outcomes,
        sweeps=sweeps,
        carrier=carrier,
        settings=chosen,
        senders=lambda: {TOWN: OURS},
    )
    try:
        yield Rig(db, clock, real, carrier, deliveries, outcomes, sweeps, sender, outbox)
    finally:
        await db.close()


def no_connection(_: Order) -> Outcome:
    return NotSent("ClientConnectorError")
