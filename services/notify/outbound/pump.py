"""Send one town's messages by one channel, the most urgent first."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

import structlog

from schemas.vocabulary import Channel
from services.notify.domain.lanes import PEOPLE
from services.notify.outbound.callback_token import Subject
from services.notify.outbound.carrier import Carrier, NotSent, Order, Outcome, Unknown
from services.notify.outbound.deliveries import EVERY_LANE, Claimed, Deliveries
from services.notify.outbound.pace import Pace
from services.runtime.database import Database
from services.runtime.errors import Retriable

log = structlog.get_logger()

IDLE_S = 0.25
DATABASE_PAUSE_S = 0.5
URGENT_LANE = PEOPLE
RESERVED = 4

Answered = tuple[Claimed, Outcome]


class Pump:
    """Claims in small batches, each time from the most urgent lane, and keeps few in flight.

    A page overtakes a broadcast at the next claim, a quarter of a second's worth of texts later; and when a
    slow carrier holds most of the slots, the last ones are kept for it.

    Args:
        municipality: The town.
        channel: Text or call.
        sender: The number that they come from.
        answered: Where answers go to be written down.
        timeout_s: How long one request may take; a lease must outlast it.
    """

    def __init__(
        self,
        municipality: str,
        channel: Channel,
        sender: str,
        *,
        db: Database,
        deliveries: Deliveries,
        carrier: Carrier,
        pace: Pace,
        answered: asyncio.Queue[Answered],
        in_flight_max: int,
        timeout_s: float,
    ) -> None:
        self.municipality = municipality
        self.channel = channel
        self.pace = pace
        self.woken = asyncio.Event()
        self._sender = sender
        self._db = db
        self._store = deliveries
        self._carrier = carrier
        self._answered = answered
        self._most = in_flight_max
        self._timeout_s = timeout_s
        self._flying: set[asyncio.Task[None]] = set()
        self._prepaid = 0

    async def run(self) -> None:
        """Send until cancelled; then give what is in flight the time of one request to come back."""
        try:
            while True:
                await self._round()
        finally:
            if self._flying:
                await asyncio.wait(self._flying, timeout=self._timeout_s)

    async def turn(self) -> int:
        """Send all that may go now and wait for the answers; return how many went. For stepping by hand."""
        sent = 0
        while claimed := await self._claim():
            sent += len(claimed)
            await self._launch(claimed)
            if self._flying:
                await asyncio.wait(self._flying)
        return sent

    async def _round(self) -> None:
        self.woken.clear()
        await self.pace.rested()
        await self._slot()
        if not self._prepaid:  # paid before the choice: what is chosen is the most urgent at that moment
            await self.pace.take(1)
            self._prepaid = 1
        try:
            claimed = await self._claim()
        except Retriable as err:
            log.warning("notify.claim_postponed", reason=type(err).__name__)
            await asyncio.sleep(DATABASE_PAUSE_S)
            return
        if claimed:
            await self._launch(claimed)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(IDLE_S):  # wait_for may lose a cancellation before Python 3.12
                await self.woken.wait()

    async def _slot(self) -> None:
        """Wait until there is a slot; while probing, until the message in flight has come back."""
        most = 1 if self.pace.is_probing else self._most
        while len(self._flying) >= most:
            await asyncio.wait(self._flying, return_when=asyncio.FIRST_COMPLETED)

    async def _claim(self) -> list[Claimed]:
        free = self._most - len(self._flying)
        common = free - RESERVED
        async with self._db.reading() as conn:
            if not await self._store.has_due(conn, self.municipality, self.channel):
                return []
        async with self._db.transaction() as conn:
            return await self._store.claim(
                conn,
                self.municipality,
                self.channel,
                self._sender,
                limit=self.pace.batch(max(common, 1)),
                most_lane=EVERY_LANE if common > 0 else URGENT_LANE,
            )

    async def _launch(self, claimed: list[Claimed]) -> None:
        for each in claimed:
            await self.pace.take(each.segments - self._prepaid)
            self._prepaid = 0
            task = asyncio.create_task(self._send(each))
            self._flying.add(task)
            task.add_done_callback(self._flying.discard)

    async def _send(self, message: Claimed) -> None:
        if self._has_time(message):
            outcome = await self._asked(message)
            self.pace.hear(outcome)
        else:
            outcome = NotSent("the lease ran out before it could leave")
        await self._answered.put((message, outcome))

    async def _asked(self, message: Claimed) -> Outcome:
        try:
            return await self._carrier.send(self._order(message))
        except Exception as err:  # a bug of ours: nobody can say whether it left
            log.exception("notify.sending_failed", message_id=message.message_id, error=type(err).__name__)
            return Unknown(f"our fault: {type(err).__name__}")

    def _has_time(self, message: Claimed) -> bool:
        """Say whether the lease outlasts a request from now; else another process may be sending it."""
        now = self._store.real.now()
        left = (message.leased_at or now) + self._store.lease - now
        return left > timedelta(seconds=self._timeout_s)

    def _order(self, message: Claimed) -> Order:
        left_s = (message.expires_at - self._store.clock.now()).total_seconds()
        subject = Subject(
            message.municipality,
            message.message_id,
            message.attempt,
            message.channel,
            message.purpose,
            message.language,
        )
        return Order(subject, message.phone, message.sender, message.text, max(1, int(left_s)))
