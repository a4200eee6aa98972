"""What nobody called back about: unknown outcomes, silent messages, expired ones, dead senders' leases."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import Channel, MessageState
from services.notify.domain.delivery import WITH_CARRIER
from services.notify.outbound.carrier import Carrier, Listed
from services.notify.outbound.deliveries import OPEN_ROWS, ROWS_WITH_CARRIER, Claimed, Deliveries
from services.notify.outbound.outcomes import Outcomes, Status
from services.notify.tables import delivery
from services.runtime.database import Database

S = MessageState
Answer = TypeVar("Answer")
log = structlog.get_logger()

MOST_AT_ONCE = 20
# The carrier's list counts in whole seconds and by its own clock.
CLOCKS_DIFFER = timedelta(seconds=30)
LOOK_AGAIN = timedelta(seconds=5)


class Sweeps:
    """Each method is one round; a loop calls them. Several replicas may: a row is taken by moving its time.

    Args:
        db: The service's database.
        deliveries: The store.
        outcomes: Writes down what is found.
        carrier: Asked for its list and for single messages.
        poll_after_s: Between two questions about the same message.
        list_patience_s: How long after its attempt an unknown outcome is asked about.
        ask_within_s: How long a whole round of questions may take, whatever the carrier does.
    """

    def __init__(
        self,
        db: Database,
        deliveries: Deliveries,
        outcomes: Outcomes,
        carrier: Carrier,
        *,
        unresolved_after_s: float = 20.0,
        poll_after_s: float = 60.0,
        list_patience_s: float = 120.0,
        ask_within_s: float = 10.0,
    ) -> None:
        self._db = db
        self._store = deliveries
        self._outcomes = outcomes
        self._carrier = carrier
        self._unresolved_after = timedelta(seconds=unresolved_after_s)
        self._poll_after = timedelta(seconds=poll_after_s)
        self._patience = timedelta(seconds=list_patience_s)
        self._ask_within_s = ask_within_s

    async def release_dead_leases(self, *, every: bool = False) -> int:
        """Move ``sending`` rows whose sender is gone to ``unresolved``: they may have left or not.

        Args:
            every: At the start on SQLite no other process can be sending, so no lease has to be waited for.
        """
        d, real = delivery.c, self._store.real.now()
        dead = sa.select(d.municipality, d.message_id).where(OPEN_ROWS, d.state == S.SENDING)
        if not every:
            dead = dead.where(d.lease_until <= real)
        waited = timedelta() if every else self._store.lease
        ask_at = real + max(self._unresolved_after - waited, timedelta())
        only = frozenset({S.SENDING})
        if not await self._is_any(dead):
            return 0
        async with self._db.transaction() as conn:
            rows = (await conn.execute(dead.with_for_update(skip_locked=True))).all()
            for town, ids in _by_town(rows).items():
                await self._store.move(conn, town, ids, S.UNRESOLVED, only_from=only, next_attempt_at=ask_at)
        return len(rows)

    async def expire(self) -> int:
        """Close what is too late and never left us, visibly.

        What left is first asked for: unknown outcomes by ``resolve``, silent messages by ``poll``.
        """
        d, now = delivery.c, self._store.clock.now()
        late = sa.select(d.municipality, d.message_id).where(OPEN_ROWS, d.state == S.PLANNED)
        late = late.where(d.expires_at <= now)
        if not await self._is_any(late):
            return 0
        async with self._db.transaction() as conn:
            rows = (await conn.execute(late.limit(5_000).with_for_update(skip_locked=True))).all()
            for town, ids in _by_town(rows).items():
                await self._store.move(conn, town, ids, S.EXPIRED)
        if rows:
            log.warning("notify.messages_expired", count=len(rows))
        return len(rows)

    async def resolve(self) -> int:
        """Ask the carrier's list about unknown outcomes whose callback did not come; return how many closed.

        Found there: accepted. Not there: sent again, marked as a possible duplicate, unless it is too
        late. A list that does not answer is asked again, for two minutes; then sending again is safer.
        What was taken back is never sent again: asked about for as long, then withdrawn if the list does
        not know it, and counted as sent if the list never answered.
        """
        d = delivery.c
        due = (OPEN_ROWS, d.state == S.UNRESOLVED, d.next_attempt_at <= self._store.real.now())
        unknown = await self._take(due, LOOK_AGAIN)
        listed = await self._asked([self._list(each) for each in unknown])
        return sum([await self._settle(each, found) for each, found in zip(unknown, listed, strict=True)])

    async def poll(self) -> int:
        """Ask about messages that nobody spoke of for a while, and about each when it expires.

        Callbacks do get lost, and some networks never report: what is not known to be delivered at its
        expiry is ``expired``. A later word that it was delivered still counts.
        """
        d = delivery.c
        due = sa.or_(d.next_attempt_at <= self._store.real.now(), d.expires_at <= self._store.clock.now())
        silent = await self._take((ROWS_WITH_CARRIER, due), self._poll_after)
        found = await self._asked([self._look_up(each) for each in silent])
        if silent:
            async with self._db.transaction() as conn, self._store.events.packed(conn):
                for each, listed in zip(silent, found, strict=True):
                    await self._note(conn, each, listed)
        return len(silent)

    async def _look_up(self, silent: Claimed) -> Listed | None:
        return await self._carrier.look_up(silent.channel, silent.sid) if silent.sid else None

    async def _note(self, conn: AsyncConnection, silent: Claimed, found: Listed | None) -> None:
        if found is not None:
            await self._outcomes.hear(conn, _status(silent, found))
        if silent.expires_at <= self._store.clock.now():
            only, ids = WITH_CARRIER, [silent.message_id]
            await self._store.move(conn, silent.municipality, ids, S.EXPIRED, only_from=only)

    async def _asked(self, questions: Sequence[Coroutine[Any, Any, Answer]]) -> list[Answer | None]:
        """Ask all at once; ``None`` for what was not answered within the time of a round."""
        asked = [asyncio.create_task(question) for question in questions]
        try:
            if asked:
                await asyncio.wait(asked, timeout=self._ask_within_s)
        finally:
            late = [task for task in asked if not task.done() and task.cancel()]
        await asyncio.gather(*late, return_exceptions=True)
        return [None if task.cancelled() else task.result() for task in asked]

    async def _list(self, unknown: Claimed) -> list[Listed] | None:
        since = self._sent_at(unknown) - CLOCKS_DIFFER
        return await self._carrier.sent_to(unknown.channel, unknown.phone, unknown.sender, since)

    async def _settle(self, unknown: Claimed, listed: list[Listed] | None) -> int:
        """Write down what the list said of one message; return 1 when that closed the question."""
        patient = not self._is_out_of_patience(unknown)
        if listed is None and patient:
            return 0
        async with self._db.transaction() as conn:
            ours = await self._unclaimed(conn, unknown, listed or [])
            if ours is not None:
                await self._outcomes.accepted(conn, unknown, ours.sid)
                await self._outcomes.hear(conn, _status(unknown, ours))
                return 1
            if unknown.is_withdrawn:  # no hurry: a list may lag behind, and nobody waits for these words
                return 0 if patient else len(await self._over(conn, unknown, left=listed is None))
            return len(await self._not_found(conn, unknown))

    async def _over(self, conn: AsyncConnection, unknown: Claimed, *, left: bool) -> Sequence[Any]:
        """Close what was taken back: as sent for all we know, or as never sent."""
        only, town, ids = frozenset({S.UNRESOLVED}), unknown.municipality, [unknown.message_id]
        if left:
            return await self._store.move(conn, town, ids, S.EXPIRED, attempt=unknown.attempt, only_from=only)
        untold = sa.case((delivery.c.maybe_duplicate, delivery.c.sending_at), else_=None)
        return await self._store.move(
            conn, town, ids, S.WITHDRAWN, attempt=unknown.attempt, only_from=only, sending_at=untold
        )

    async def _not_found(self, conn: AsyncConnection, unknown: Claimed) -> Sequence[Any]:
        only = frozenset({S.UNRESOLVED})
        town, ids = unknown.municipality, [unknown.message_id]
        if unknown.expires_at <= self._store.clock.now():
            return await self._store.move(conn, town, ids, S.EXPIRED, attempt=unknown.attempt, only_from=only)
        log.warning("notify.message_sent_again", message_id=unknown.message_id, attempt=unknown.attempt)
        return await self._store.plan_again(
            conn,
            town,
            unknown.message_id,
            unknown.attempt,
            only_from=S.UNRESOLVED,
            maybe_duplicate=True,
            next_attempt_at=self._store.real.now(),
        )

    async def _unclaimed(
        self, conn: AsyncConnection, unknown: Claimed, listed: Sequence[Listed]
    ) -> Listed | None:
        """Return the listed message with our words that is no other message of ours."""
        same = [each for each in listed if unknown.channel is Channel.VOICE or each.body == unknown.text]
        if not same:
            return None
        known = await conn.execute(
            sa.select(delivery.c.sid).where(delivery.c.sid.in_([each.sid for each in same]))
        )
        taken = set(known.scalars())
        return next((each for each in reversed(same) if each.sid not in taken), None)

    async def _take(self, due: Sequence[Any], pause: timedelta) -> list[Claimed]:
        """Take messages whose time has come by putting it off; another replica passes over them."""
        d, real = delivery.c, self._store.real.now()
        wanted = sa.select(d.municipality, d.message_id).where(*due)
        if not await self._is_any(wanted):
            return []
        wanted = wanted.order_by(d.next_attempt_at).limit(MOST_AT_ONCE).with_for_update(skip_locked=True)
        async with self._db.transaction() as conn:
            rows = (await conn.execute(wanted)).all()
            taken: list[Claimed] = []
            for town, ids in _by_town(rows).items():
                put_off = sa.update(delivery).where(d.municipality == town, d.message_id.in_(ids))
                await conn.execute(put_off.values(next_attempt_at=real + pause))
                taken += await self._store.read(conn, town, ids)
        return taken

    async def _is_any(self, wanted: sa.Select[Any]) -> bool:
        """Say whether there is something to do: each second there mostly is not, and writers take turns."""
        async with self._db.reading() as conn:
            return (await conn.execute(wanted.limit(1))).first() is not None

    def _sent_at(self, unknown: Claimed) -> datetime:
        """Return the earlier of real and town time of the attempt: a stand-in may follow the town's clock."""
        said = [at for at in (unknown.sending_at, unknown.leased_at) if at is not None]
        return min(said, default=self._store.real.now() - timedelta(hours=1))

    def _is_out_of_patience(self, unknown: Claimed) -> bool:
        return self._store.real.now() - (unknown.leased_at or self._store.real.now()) > self._patience


def _status(message: Claimed, found: Listed) -> Status:
    return Status(
        municipality=message.municipality,
        message_id=message.message_id,
        attempt=message.attempt,
        channel=message.channel,
        word=found.status,
        sid=found.sid,
        code=found.code,
        answered_by=found.answered_by,
    )


def _by_town(rows: Sequence[Any]) -> dict[str, list[str]]:
    towns: dict[str, list[str]] = {}
    for row in rows:
        towns.setdefault(row.municipality, []).append(row.message_id)
    return towns
