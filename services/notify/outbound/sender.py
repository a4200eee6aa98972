"""Everything that goes out: one pump per town and channel, one writer of answers, one round of sweeps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import structlog

from schemas.vocabulary import Channel
from services.notify.carrier_settings import CarrierSettings
from services.notify.outbound.carrier import Carrier
from services.notify.outbound.deliveries import Deliveries
from services.notify.outbound.outcomes import Outcomes
from services.notify.outbound.pace import Pace
from services.notify.outbound.pump import Answered, Pump
from services.notify.outbound.sweeps import Sweeps
from services.runtime.database import Database
from services.runtime.errors import Retriable

log = structlog.get_logger()

SWEEP_EVERY_S = 1.0
WRITE_AGAIN_S = 0.5
LONGEST_SEGMENTS = 10
CHANNELS = (Channel.SMS, Channel.VOICE)

Step = Callable[[], Awaitable[int]]


class Beats(Protocol):
    """What the sender tells of itself; the runtime's ``Health`` fits."""

    def beat(self, part: str) -> None: ...


def lease_s(settings: CarrierSettings) -> float:
    """Return a lease that outlasts a request, the wait of its longest text for room, and some."""
    return settings.carrier_timeout_s + 5.0 + LONGEST_SEGMENTS / settings.sms_segments_per_s


class Sender:
    """The sending half of notify. ``run`` goes on until cancelled; ``turn`` steps it by hand.

    Args:
        db: The service's database.
        deliveries: The store.
        outcomes: Writes answers down.
        sweeps: Looks after what nobody answered.
        carrier: The port to the carrier.
        settings: Paces and limits.
        senders: The number that each town's messages come from; asked again, so a new town is served.
        health: Hears of progress. A carrier that is away is no fault of this process (see ``troubles``).
    """

    def __init__(
        self,
        *,
        db: Database,
        deliveries: Deliveries,
        outcomes: Outcomes,
        sweeps: Sweeps,
        carrier: Carrier,
        settings: CarrierSettings,
        senders: Callable[[], Mapping[str, str]],
        health: Beats | None = None,
    ) -> None:
        self._db = db
        self._store = deliveries
        self._outcomes = outcomes
        self._sweeps = sweeps
        self._carrier = carrier
        self._settings = settings
        self._senders = senders
        self._health = health
        self._answered: asyncio.Queue[Answered] = asyncio.Queue()
        self._pumps: dict[tuple[str, Channel], Pump] = {}
        self._paces: dict[tuple[str, Channel], Pace] = {}
        self._said: dict[str, str] = {}
        # Apart, so that a carrier that does not answer holds up neither expiry nor dead leases.
        self._tidy_steps: Sequence[Step] = (sweeps.release_dead_leases, sweeps.expire)
        self._asking_steps: Sequence[Step] = (sweeps.resolve, sweeps.poll)

    def wake(self, municipality: str) -> None:
        """Look for a town's messages now; give this to ``after_commit`` where messages are planned."""
        for channel in CHANNELS:
            if pump := self._pumps.get((municipality, channel)):
                pump.woken.set()

    async def run(self) -> None:
        """Send, write answers down and sweep until cancelled; then what is in flight is waited for."""
        await self.recover()
        async with asyncio.TaskGroup() as writing:
            writer = writing.create_task(self._write_for_ever())
            try:
                async with asyncio.TaskGroup() as sending:
                    sending.create_task(self._sweep_for_ever("sender", self._tidy_steps))
                    sending.create_task(self._sweep_for_ever("asking", self._asking_steps))
                    await self._pump_for_ever(sending)
            finally:
                await self._last_answers()
                writer.cancel()

    async def recover(self) -> int:
        """At the start: what a dead process left in ``sending`` may have gone out; it is asked about."""
        released = await self._sweeps.release_dead_leases(every=self._db.dialect == "sqlite")
        if released:
            log.warning("notify.sending_interrupted", count=released)
        return released

    async def turn(self) -> int:
        """Send all that may go now, write down the answers, sweep once; return how many were sent."""
        sent = sum([await pump.turn() for pump in self._present()])
        await self._write(self._drained())
        await self.sweep()
        return sent

    async def sweep(self) -> None:
        """Do one round of everything that nobody called back about."""
        for step in (*self._tidy_steps, *self._asking_steps):
            await step()

    async def _pump_for_ever(self, group: asyncio.TaskGroup) -> None:
        running: set[tuple[str, Channel]] = set()
        while True:
            for pump in self._present():
                key = (pump.municipality, pump.channel)
                if key not in running:
                    running.add(key)
                    group.create_task(pump.run())
            await asyncio.sleep(SWEEP_EVERY_S)

    def _present(self) -> list[Pump]:
        for town, sender in self._senders().items():
            for channel in CHANNELS:
                if (town, channel) not in self._pumps:
                    self._pumps[town, channel] = self._pump(town, channel, sender)
        return list(self._pumps.values())

    def _pump(self, town: str, channel: Channel, sender: str) -> Pump:
        return Pump(
            town,
            channel,
            sender,
            db=self._db,
            deliveries=self._store,
            carrier=self._carrier,
            pace=self._pace(sender, channel),
            answered=self._answered,
            in_flight_max=self._settings.in_flight_max,
            timeout_s=self._settings.carrier_timeout_s,
        )

    def _pace(self, sender: str, channel: Channel) -> Pace:
        """Return the pace of a number; towns that share it share its rate."""
        if (sender, channel) not in self._paces:
            calls = channel is Channel.VOICE
            per_s = self._settings.calls_per_s if calls else self._settings.sms_segments_per_s
            self._paces[sender, channel] = Pace(per_s)
        return self._paces[sender, channel]

    async def _write_for_ever(self) -> None:
        while True:
            batch = [await self._answered.get(), *self._drained()]
            await self._write(batch)
            for _ in batch:
                self._answered.task_done()

    async def _write(self, answered: list[Answered]) -> None:
        """Write a batch down, however long the database is away: nobody else knows these answers."""
        while answered:
            try:
                async with self._db.transaction() as conn:
                    await self._outcomes.record(conn, answered)
                break
            except Retriable as err:
                log.warning("notify.answers_kept_waiting", count=len(answered), reason=type(err).__name__)
                await asyncio.sleep(WRITE_AGAIN_S)
        self._report()

    def _drained(self) -> list[Answered]:
        found: list[Answered] = []
        while not self._answered.empty():
            found.append(self._answered.get_nowait())
        return found

    async def _last_answers(self) -> None:
        try:
            async with asyncio.timeout(self._settings.carrier_timeout_s):
                await self._answered.join()
        except TimeoutError:
            log.warning("notify.answers_not_written")

    async def _sweep_for_ever(self, part: str, steps: Sequence[Step]) -> None:
        """Take the steps again and again; each one that ends, however it ends, is progress."""
        while True:
            for step in steps:
                try:
                    await step()
                except Retriable as err:
                    log.warning("notify.sweep_postponed", part=part, reason=type(err).__name__)
                if self._health is not None:
                    self._health.beat(part)
            await asyncio.sleep(SWEEP_EVERY_S)

    def troubles(self) -> dict[str, str]:
        """Return why a town's channel does not send at present, ``{"ejemplo/sms": "throttled"}``."""
        return {
            f"{pump.municipality}/{pump.channel}": pump.pace.why
            for pump in self._pumps.values()
            if pump.pace.why
        }

    def _report(self) -> None:
        said = self.troubles()
        if said != self._said:
            log.error("notify.carrier_troubled", troubles=said) if said else log.info("notify.carrier_served")
        self._said = said
