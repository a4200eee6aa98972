"""The store of messages: who is next, and every change of state as one guarded UPDATE.

Each change reads ``UPDATE … WHERE state IN (states from which it is allowed)``, so a callback, a poll, a
withdrawal and a second replica may come in any order and nothing goes backwards. Times: see ``steady``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from cryptography.exceptions import InvalidTag
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import Channel, MessageState, Purpose
from services.notify.domain.delivery import NOT_HANDED_OVER, OPEN, before
from services.notify.domain.segments import segments_of
from services.notify.outbound import authorised, calls_instead, told
from services.notify.outbound.authorised import Broken
from services.notify.outbound.message_events import Changed, MessageEvents
from services.notify.outbound.phones import PhoneCipher
from services.notify.tables import body, delivery, recipient
from services.runtime.clock import Clock

log = structlog.get_logger()

# Said word for word as in the partial indexes, or SQLite does not use them.
OPEN_ROWS = sa.text("delivery.state IN ('planned', 'sending', 'unresolved')")
ROWS_WITH_CARRIER = sa.text("delivery.state IN ('accepted', 'queued', 'sent')")
EVERY_LANE = 2**15 - 1
MOST_PASSES = 20

OnBroken = Callable[[AsyncConnection, str, Sequence[Broken]], Awaitable[None]]
"""Told, in the claim's transaction, of messages of a town that cannot leave as they are."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that this process sends now, under a lease, or asks the carrier about.

    Attributes:
        segments: What it takes out of the sender's rate; a call takes one.
        leased_at: Real time of the claim of its latest attempt.
        is_withdrawn: It was taken back while it was on its way: it must not go out again.
        maybe_duplicate: An earlier try may have arrived, although nobody has said so.
    """

    municipality: str
    message_id: str
    incident_id: str
    attempt: int
    channel: Channel
    purpose: Purpose
    lane: int
    phone: str
    text: str
    language: str
    segments: int
    sender: str
    expires_at: datetime
    sid: str | None
    sending_at: datetime | None
    leased_at: datetime | None
    is_withdrawn: bool = False
    maybe_duplicate: bool = False

    def __repr__(self) -> str:
        """Name the message, never the number or the words."""
        return f"Claimed({self.message_id}, attempt {self.attempt})"


def _readable() -> sa.Select[Any]:
    same_person = sa.and_(
        recipient.c.municipality == delivery.c.municipality,
        recipient.c.recipient_id == delivery.c.recipient_id,
    )
    same_words = sa.and_(body.c.municipality == delivery.c.municipality, body.c.body_id == delivery.c.body_id)
    return (
        sa.select(delivery, recipient.c.phone_enc, body.c.text, body.c.language, body.c.voice)
        .join(recipient, same_person)
        .join(body, same_words)
    )


def _due() -> tuple[sa.ColumnElement[bool] | sa.TextClause, ...]:
    d = delivery.c
    return (
        OPEN_ROWS,
        d.state == MessageState.PLANNED,
        d.municipality == sa.bindparam("town"),
        d.channel == sa.bindparam("by"),
        d.withdrawn_at.is_(None),
        d.expires_at > sa.bindparam("now"),
        sa.or_(d.attempt == 0, d.next_attempt_at <= sa.bindparam("real_now")),
        sa.not_(told.must_wait()),
    )


# Made once: every pump asks at every commit, and making such a statement costs more than answering it.
_READABLE = _readable()
_ANY_DUE = sa.select(delivery.c.message_id).where(*_due()).limit(1)
_NEXT_DUE = (
    _READABLE.where(*_due(), delivery.c.lane <= sa.bindparam("most_lane"))
    .order_by(delivery.c.lane, delivery.c.rank, delivery.c.message_id)
    .limit(sa.bindparam("most"))
    .with_for_update(of=delivery, skip_locked=True)
)


class Deliveries:
    """Rows of ``delivery`` of all towns; every method names the town.

    Args:
        clock: The town's time: expiry, and all that people read.
        real: Real time: leases and the next try.
        cipher: Opens phones.
        events: Hears of every change, in its transaction.
        lease_s: Longer than a request to the carrier can take.

    Attributes:
        on_broken: Tells a person of what cannot leave as it is; set where there are flows to do so.
    """

    def __init__(
        self, clock: Clock, real: Clock, cipher: PhoneCipher, events: MessageEvents, *, lease_s: float = 15.0
    ) -> None:
        self.clock = clock
        self.real = real
        self.events = events
        self.lease = timedelta(seconds=lease_s)
        self._cipher = cipher
        self.on_broken: OnBroken | None = None

    async def claim(
        self,
        conn: AsyncConnection,
        municipality: str,
        channel: Channel,
        sender: str,
        *,
        limit: int,
        most_lane: int = EVERY_LANE,
    ) -> list[Claimed]:
        """Take the most urgent messages that may go now and write down that they are being sent.

        Commit before anything leaves: a crash then finds ``sending`` rows and asks, instead of repeating.
        A message never tried is due at once; a repeated one from its ``next_attempt_at`` on.
        """
        asked = self._asked(municipality, channel) | {"most_lane": most_lane, "most": limit}
        for _ in range(MOST_PASSES):  # each pass that sends nothing has closed what it found
            rows = (await conn.execute(_NEXT_DUE, asked)).all()
            sent = await self._leased(conn, municipality, sender, rows) if rows else []
            if sent or not rows:
                return sent
        return []

    async def has_due(self, conn: AsyncConnection, municipality: str, channel: Channel) -> bool:
        """Say whether a claim would find anything; cheaper than claiming nothing."""
        return (await conn.execute(_ANY_DUE, self._asked(municipality, channel))).first() is not None

    async def read(
        self, conn: AsyncConnection, municipality: str, message_ids: Sequence[str]
    ) -> list[Claimed]:
        """Return messages with number and words, without taking them."""
        d = delivery.c
        rows = await conn.execute(
            _READABLE.where(d.municipality == municipality, d.message_id.in_(message_ids))
        )
        since = [(row, None if row.lease_until is None else row.lease_until - self.lease) for row in rows]
        read = (self._claimed(row, row.attempt, row.sender or "", leased_at) for row, leased_at in since)
        return [found for found in read if found is not None]

    async def move(
        self,
        conn: AsyncConnection,
        municipality: str,
        message_ids: Iterable[str],
        to: MessageState,
        *where: sa.ColumnElement[bool],
        attempt: int | None = None,
        only_from: frozenset[MessageState] | None = None,
        **columns: Any,
    ) -> list[Changed]:
        """Enter ``to`` from wherever that is allowed; return what changed, having told the others.

        Args:
            conn: An open write transaction.
            municipality: The town.
            message_ids: Which messages.
            to: The new state.
            where: Further conditions.
            attempt: Only while this is the latest attempt.
            only_from: Fewer states than the table of transitions allows.
            columns: Other columns to set.
        """
        d = delivery.c
        allowed = before(to) if only_from is None else before(to) & only_from
        change = sa.update(delivery).where(
            d.municipality == municipality, d.message_id.in_(list(message_ids)), d.state.in_(allowed), *where
        )
        if attempt is not None:
            change = change.where(d.attempt == attempt)
        return await self._changed(conn, change, to.value, columns)

    async def take_back(
        self,
        conn: AsyncConnection,
        municipality: str,
        to: MessageState,
        *where: sa.ColumnElement[bool],
    ) -> list[Changed]:
        """Withdraw or suppress what is still planned and matches; return what that was.

        What may have left keeps its state, marked: should it turn out not to have left, or not to have
        arrived, it does not go out again. An unknown outcome is asked about at once, for others wait for it.
        """
        if to not in {MessageState.WITHDRAWN, MessageState.SUPPRESSED}:
            raise ValueError(f"{to} does not take a message back")
        d = delivery.c
        mine = (d.municipality == municipality, d.withdrawn_at.is_(None), *where)
        at_once = sa.literal(self.real.now(), d.next_attempt_at.type)
        ask_at = sa.case((d.state == MessageState.UNRESOLVED.value, at_once), else_=d.next_attempt_at)
        mark = {"withdrawn_at": self.clock.now(), "next_attempt_at": ask_at}
        # Marked first: that locks the rows, so none comes back to ``planned`` between the two changes.
        await conn.execute(sa.update(delivery).where(*mine, d.state.in_(OPEN)).values(mark))
        change = sa.update(delivery).where(d.municipality == municipality, OPEN_ROWS, *where)
        change = change.where(d.state == MessageState.PLANNED)
        return await self._changed(conn, change, to.value, {})

    async def plan_again(
        self,
        conn: AsyncConnection,
        municipality: str,
        message_id: str,
        attempt: int,
        *,
        only_from: MessageState,
        **columns: Any,
    ) -> list[Changed]:
        """Plan a message again that is not known to have arrived; withdraw it if it was taken back."""
        d = delivery.c
        mine = (d.municipality == municipality, d.message_id == message_id, d.attempt == attempt)
        over = (d.withdrawn_at.is_not(None), MessageState.WITHDRAWN.value)
        to = sa.case(over, else_=MessageState.PLANNED.value)
        return await self._changed(
            conn, sa.update(delivery).where(*mine, d.state == only_from.value), to, columns
        )

    async def arrived_after_all(self, conn: AsyncConnection, row: Any) -> list[Changed]:
        """Plan what this person was not sent because ``row`` seemed never to have left."""
        change = sa.update(delivery).where(*told.missed(row), delivery.c.expires_at > self.clock.now())
        return await self._changed(conn, change, MessageState.PLANNED.value, {})

    async def speak_instead(self, conn: AsyncConnection, municipality: str, message_id: str) -> bool:
        """Plan a call with the same words beside a text that cannot arrive; say whether it is new."""
        return await calls_instead.plan(
            conn, municipality, message_id, at=self.clock.now(), real_at=self.real.now()
        )

    async def waiting(self, conn: AsyncConnection, municipality: str | None = None) -> int:
        """Return how many messages are not yet handed over: planned, being sent, outcome unknown."""
        return await self._count(conn, municipality, OPEN_ROWS, delivery.c.state.in_(NOT_HANDED_OVER))

    async def overdue(self, conn: AsyncConnection, municipality: str | None = None) -> int:
        """Return how many messages are open after their expiry; 0 whenever the sweep has run."""
        return await self._count(
            conn, municipality, delivery.c.state.in_(OPEN), delivery.c.expires_at <= self.clock.now()
        )

    async def _count(
        self, conn: AsyncConnection, municipality: str | None, *where: sa.ColumnElement[bool] | sa.TextClause
    ) -> int:
        count = sa.select(sa.func.count()).select_from(delivery).where(*where)
        if municipality is not None:
            count = count.where(delivery.c.municipality == municipality)
        return int((await conn.execute(count)).scalar_one())

    async def _changed(
        self,
        conn: AsyncConnection,
        change: sa.Update,
        to: str | sa.ColumnElement[str],
        columns: dict[str, Any],
    ) -> list[Changed]:
        values = columns | {"state": to, "updated_at": self.clock.now()}
        rows = await conn.execute(change.values(values).returning(*delivery.c))
        changed = [Changed.of(row) for row in rows]
        await self.events.tell(conn, changed)
        return changed

    def _asked(self, municipality: str, channel: Channel) -> dict[str, Any]:
        """Return what the statements about due messages are filled with."""
        return {
            "town": municipality,
            "by": channel.value,
            "now": self.clock.now(),
            "real_now": self.real.now(),
        }

    async def _leased(
        self, conn: AsyncConnection, municipality: str, sender: str, rows: Sequence[Any]
    ) -> list[Claimed]:
        d, now, real = delivery.c, self.clock.now(), self.real.now()
        passed = set(await told.untold(conn, municipality, rows))
        if passed:
            await self.move(conn, municipality, passed, MessageState.WITHDRAWN)
        wrong = passed | await self._broken(conn, municipality, rows, passed)
        taken = [self._claimed(row, row.attempt + 1, sender, real) for row in rows]
        sent = [found for found in taken if found is not None and found.message_id not in wrong]
        if not sent:
            return []
        await conn.execute(
            sa.update(delivery)
            .where(d.municipality == municipality, d.message_id.in_([each.message_id for each in sent]))
            .where(d.state == MessageState.PLANNED)
            .values(
                state=MessageState.SENDING.value,
                attempt=d.attempt + 1,
                lease_until=real + self.lease,
                sending_at=now,
                sender=sender,
                sid=None,
                updated_at=now,
            )
        )
        return sent

    async def _broken(
        self, conn: AsyncConnection, municipality: str, rows: Sequence[Any], passed: set[str]
    ) -> set[str]:
        """Fail what cannot leave as it is, and everything that a person then stops with it."""
        changed = await authorised.strangers(conn, municipality, rows)
        changed |= {row.message_id for row in rows if not authorised.fits(row)}
        broken = [
            Broken.of(row, is_changed=row.message_id in changed)
            for row in rows
            if row.message_id not in passed
            and (row.message_id in changed or self._claimed(row, row.attempt, "", None) is None)
        ]
        if not broken:
            return set()
        ids = [each.message_id for each in broken]
        log.error("notify.messages_broken", message_ids=ids, changed=len(changed))
        await self.move(conn, municipality, ids, MessageState.FAILED)
        if self.on_broken is None:
            return set(ids)
        await self.on_broken(conn, municipality, broken)
        d = delivery.c  # it may have taken back others of this claim
        all_ids = [row.message_id for row in rows]
        gone = sa.select(d.message_id).where(d.municipality == municipality, d.message_id.in_(all_ids))
        gone = gone.where(d.state != MessageState.PLANNED.value)
        return {message_id for (message_id,) in await conn.execute(gone)}

    def _claimed(self, row: Any, attempt: int, sender: str, leased_at: datetime | None) -> Claimed | None:
        if not authorised.fits(row):
            return None
        try:
            phone = self._cipher.open(row.phone_enc)
        except (InvalidTag, ValueError):
            return None
        channel = Channel(row.channel)
        return Claimed(
            municipality=row.municipality,
            message_id=row.message_id,
            incident_id=row.incident_id,
            attempt=attempt,
            channel=channel,
            purpose=Purpose(row.purpose),
            lane=row.lane,
            phone=phone,
            text=row.text,
            language=row.language,
            segments=1 if channel is Channel.VOICE else segments_of(row.text),
            sender=sender,
            expires_at=row.expires_at,
            sid=row.sid,
            sending_at=row.sending_at,
            leased_at=leased_at,
            is_withdrawn=row.withdrawn_at is not None,
            maybe_duplicate=row.maybe_duplicate,
        )
