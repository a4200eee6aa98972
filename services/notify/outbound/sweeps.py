"""What nobody called back about: unknown outcomes, silent messages, expired ones, dead senders' leases."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

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
log = structlog.get_logger()

MOST_AT_ONCE = 20
# The carrier's list counts in whole seconds and by its own clock.
CLOCKS_DIFFER = timedelta(seconds=30)
LIST_PATIENCE = timedelta(minutes=2)
LOOK_AGAIN = timedelta(seconds=5)


class Sweeps:
    """Each method is one round; a loop calls them. Several replicas may: a row is taken by moving its time.

    Args:
        db: The service's database.
        deliveries: The store.
        outcomes: Writes down what is found.
        carrier: Asked for its list and for single messages.
        poll_after_s: Between two questions about the same message.
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
    ) -> None:
        self._db = db
        self._store = deliveries
        self._outcomes = outcomes
        self._carrier = carrier
        self._unresolved_after = timedelta(seconds=unresolved_after_s)
        self._poll_after = timedelta(seconds=poll_after_s)

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
        late = late.where(d.expires_at <= now).limit(5_000).with_for_update(skip_locked=True)
        async with self._db.transaction() as conn:
            rows = (await conn.execute(late)).all()
            for town, ids in _by_town(rows).items():
                await self._store.move(conn, town, ids, S.EXPIRED)
        if rows:
            log.warning("notify.messages_expired", count=len(rows))
        return len(rows)

    async def resolve(self) -> int:
        """Ask the carrier's list about unknown outcomes whose callback did not come; return how many closed.

        Found there: accepted. Not there: sent again, marked as a possible duplicate, unless it is too
        late. A list that does not answer is asked again, for two minutes; then sending again is safer.
        """
        d = delivery.c
        due = (OPEN_ROWS, d.state == S.UNRESOLVED, d.next_attempt_at <= self._store.real.now())
        closed = 0
        for unknown in await self._take(due, LOOK_AGAIN):
            closed += await self._resolve_one(unknown)
        return closed

    async def poll(self) -> int:
        """Ask about messages that nobody spoke of for a while, and about each when it expires.

        Callbacks do get lost, and some networks never report: what is not known to be delivered at its
        expiry is ``expired``. A later word that it was delivered still counts.
        """
        d = delivery.c
        due = sa.or_(d.next_attempt_at <= self._store.real.now(), d.expires_at <= self._store.clock.now())
        silent = await self._take((ROWS_WITH_CARRIER, due), self._poll_after)
        found = await asyncio.gather(*(self._look_up(each) for each in silent))
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

    async def _resolve_one(self, unknown: Claimed) -> int:
        since = self._sent_at(unknown) - CLOCKS_DIFFER
        listed = await self._carrier.sent_to(unknown.channel, unknown.phone, unknown.sender, since)
        if listed is None and not self._is_out_of_patience(unknown):
            return 0
        async with self._db.transaction() as conn:
            ours = await self._unclaimed(conn, unknown, listed or [])
            if ours is not None:
                await self._outcomes.accepted(conn, unknown, ours.sid)
                await self._outcomes.hear(conn, _status(unknown, ours))
                return 1
            return len(await self._not_found(conn, unknown))

    async def _not_found(self, conn: AsyncConnection, unknown: Claimed) -> Sequence[Any]:
        only = frozenset({S.UNRESOLVED})
        town, ids = unknown.municipality, [unknown.message_id]
        if unknown.expires_at <= self._store.clock.now():
            return await self._store.move(conn, town, ids, S.EXPIRED, attempt=unknown.attempt, only_from=only)
        log.warning("notify.message_sent_again", message_id=unknown.message_id, attempt=unknown.attempt)
        return await self._store.move(
            conn,
            town,
            ids,
            S.PLANNED,
            attempt=unknown.attempt,
            only_from=only,
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
        wanted = wanted.order_by(d.next_attempt_at).limit(MOST_AT_ONCE).with_for_update(skip_locked=True)
        async with self._db.transaction() as conn:
            rows = (await conn.execute(wanted)).all()
            taken: list[Claimed] = []
            for town, ids in _by_town(rows).items():
                put_off = sa.update(delivery).where(d.municipality == town, d.message_id.in_(ids))
                await conn.execute(put_off.values(next_attempt_at=real + pause))
                taken += await self._store.read(conn, town, ids)
        return taken

    def _sent_at(self, unknown: Claimed) -> datetime:
        """Return the earlier of real and town time of the attempt: a stand-in may follow the town's clock."""
        said = [at for at in (unknown.sending_at, unknown.leased_at) if at is not None]
        return min(said, default=self._store.real.now() - timedelta(hours=1))

    def _is_out_of_patience(self, unknown: Claimed) -> bool:
        return self._store.real.now() - (unknown.leased_at or self._store.real.now()) > LIST_PATIENCE


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
