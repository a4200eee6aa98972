"""Write down what the carrier said: to the request, in a callback, in its list. One place for all three."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import Channel, MessageState, Purpose
from services.notify.domain.carrier_codes import (
    RETRY_ONCE_AFTER_S,
    Action,
    is_worth_repeating,
    next_channel,
    remedy,
)
from services.notify.domain.delivery import counts, is_machine, meaning, pause_s
from services.notify.outbound.carrier import Accepted, NotSent, Outcome, Refused, Throttled, Unknown
from services.notify.outbound.deliveries import Claimed, Deliveries
from services.notify.outbound.message_events import Changed
from services.notify.tables import delivery

S = MessageState

SENDER_REST_S = 30.0
# A list that did not show the first try may lag behind: a third copy waits longer than the second.
IN_DOUBT_AGAIN = 3


class Heard(StrEnum):
    """What a status from the carrier did."""

    APPLIED = "applied"
    STALE = "stale"
    UNKNOWN_MESSAGE = "unknown_message"
    UNKNOWN_WORD = "unknown_word"


@dataclass(frozen=True, slots=True)
class Status:
    """What a callback or a look-up says of one message."""

    municipality: str
    message_id: str
    attempt: int
    channel: Channel
    word: str
    sid: str | None = None
    code: int | None = None
    answered_by: str | None = None


class Outcomes:
    """Turns the carrier's words into states, with what follows from each (RELIABILITY §2.4).

    Args:
        deliveries: The store.
        unresolved_after_s: How long an unknown outcome waits for a callback.
        poll_after_s: How long an accepted message may stay without news.
        jitter: A number in [0, 1), new each time.
    """

    def __init__(
        self,
        deliveries: Deliveries,
        *,
        unresolved_after_s: float = 20.0,
        poll_after_s: float = 60.0,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store = deliveries
        self._unresolved_after_s = unresolved_after_s
        self._poll_after_s = poll_after_s
        self._jitter = jitter

    async def record(
        self, conn: AsyncConnection, answered: Sequence[tuple[Claimed, Outcome]]
    ) -> list[Changed]:
        """Write down a batch of answers to our requests, in one transaction."""
        changed: list[Changed] = []
        async with self._store.events.packed(conn):
            for sent, outcome in answered:
                changed += await self._one(conn, sent, outcome)
        return changed

    async def _one(self, conn: AsyncConnection, sent: Claimed, outcome: Outcome) -> list[Changed]:
        match outcome:
            case Accepted(sid):
                return await self.accepted(conn, sent, sid)
            case Throttled(retry_after_s):
                return await self._again(conn, sent, retry_after_s)
            case NotSent():
                return await self._again(conn, sent, None)
            case Unknown():
                longer = IN_DOUBT_AGAIN if sent.maybe_duplicate else 1
                at = self._in(self._unresolved_after_s * longer)
                return await self._move(conn, sent, S.UNRESOLVED, only_from={S.SENDING}, next_attempt_at=at)
            case Refused(code, status):
                return await self._refused(conn, sent, code, status)

    async def accepted(self, conn: AsyncConnection, sent: Claimed, sid: str) -> list[Changed]:
        """Note the carrier's id; the state only moves if no callback was faster.

        A message planned again while its outcome was unknown need not be; one that the carrier has already
        called undeliverable (its ``sid`` is known) stays planned.
        """
        d, now = delivery.c, self._store.clock.now()
        told = {
            "sid": sid,
            "accepted_at": sa.func.coalesce(d.accepted_at, now),
            "next_attempt_at": self._in(self._poll_after_s),
        }
        open_question = sa.or_(d.state != S.PLANNED, d.sid.is_(None))
        only_from = {S.SENDING, S.UNRESOLVED, S.PLANNED}
        changed = await self._move(conn, sent, S.ACCEPTED, open_question, only_from=only_from, **told)
        if not changed:
            quiet = {"sid": sa.func.coalesce(d.sid, sid), "accepted_at": told["accepted_at"]}
            await conn.execute(sa.update(delivery).where(*_latest(sent)).values(quiet))
        return changed

    async def about(
        self, conn: AsyncConnection, messages: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], Any]:
        """Return the rows of messages (town, id) that statuses speak of, locked in one order."""
        d = delivery.c
        rows = await conn.execute(
            sa.select(delivery)
            .where(sa.tuple_(d.municipality, d.message_id).in_(messages))
            .order_by(d.municipality, d.message_id)
            .with_for_update()
        )
        return {(row.municipality, row.message_id): row for row in rows}

    async def hear(self, conn: AsyncConnection, status: Status, row: Any = None) -> Heard:
        """Apply a status; of what we cannot use the caller keeps a trace.

        ``row`` is the message's as it stands now, where the caller has it from ``about``.
        """
        key = (status.municipality, status.message_id)
        row = row or (await self.about(conn, [key])).get(key)
        if row is None:
            return Heard.UNKNOWN_MESSAGE
        state = self._meaning(status)
        if state is None:
            return Heard.UNKNOWN_WORD
        repeating = row.state == S.PLANNED and row.sid is not None
        if not counts(state, attempt=status.attempt, latest_attempt=row.attempt, repeating=repeating):
            return Heard.STALE
        return Heard.APPLIED if await self._apply(conn, row, status, state) else Heard.STALE

    async def _apply(
        self, conn: AsyncConnection, row: Any, status: Status, state: MessageState
    ) -> list[Changed]:
        found = remedy(status.code)
        failed = state in {S.UNDELIVERED, S.FAILED, S.EXPIRED}
        may_repeat = status.channel is Channel.SMS and row.withdrawn_at is None
        if failed and may_repeat and is_worth_repeating(found, row.attempt):
            at = self._in(RETRY_ONCE_AFTER_S)
            sid = row.sid or status.sid or "?"
            return await self._change(conn, row, S.PLANNED, next_attempt_at=at, sid=sid, code=status.code)
        changed = await self._change(conn, row, state, **self._stamps(row, status, state))
        if changed and row.state == S.WITHDRAWN:
            changed += await self._store.arrived_after_all(conn, row)
        if changed and failed and found.action is not Action.SILENCE:
            purpose = Purpose(row.purpose)
            await self._another_way(conn, row.municipality, row.message_id, status.channel, purpose)
        return changed

    async def _change(
        self, conn: AsyncConnection, row: Any, to: MessageState, **columns: Any
    ) -> list[Changed]:
        ids = [row.message_id]
        return await self._store.move(conn, row.municipality, ids, to, attempt=row.attempt, **columns)

    def _stamps(self, row: Any, status: Status, state: MessageState) -> dict[str, Any]:
        now = self._store.clock.now()
        stamps: dict[str, Any] = {"code": status.code if status.code is not None else row.code}
        if row.sid is None and status.sid and status.attempt == row.attempt:
            stamps["sid"] = status.sid
        stamps["accepted_at"] = row.accepted_at or now
        stamps["next_attempt_at"] = self._in(self._poll_after_s)
        if state in {S.SENT, S.DELIVERED, S.ANSWERED}:
            stamps["sent_at"] = row.sent_at or now
        if state in {S.DELIVERED, S.ANSWERED}:
            stamps["delivered_at"] = row.delivered_at or now
        return stamps

    async def _again(self, conn: AsyncConnection, sent: Claimed, after_s: float | None) -> list[Changed]:
        """Plan a message again of which it is certain that this attempt reached nobody, if it still holds."""
        wait_s = pause_s(sent.attempt, self._jitter()) if after_s is None else after_s + self._jitter()
        untold = sa.case((delivery.c.maybe_duplicate, delivery.c.sending_at), else_=None)
        return await self._store.plan_again(
            conn,
            sent.municipality,
            sent.message_id,
            sent.attempt,
            only_from=S.SENDING,
            next_attempt_at=self._in(wait_s),
            sending_at=untold,
        )

    async def _refused(
        self, conn: AsyncConnection, sent: Claimed, code: int | None, status: int | None
    ) -> list[Changed]:
        found = remedy(code, status)
        if found.action is Action.WAIT:
            return await self._again(conn, sent, None)
        if found.action is Action.STOP_SENDER:
            return await self._again(conn, sent, SENDER_REST_S)
        if is_worth_repeating(found, sent.attempt):
            return await self._again(conn, sent, RETRY_ONCE_AFTER_S)
        untold = sa.case((delivery.c.maybe_duplicate, delivery.c.sending_at), else_=None)
        changed = await self._move(conn, sent, S.FAILED, code=code, sending_at=untold)
        if changed and found.action is not Action.SILENCE:
            await self._another_way(conn, sent.municipality, sent.message_id, sent.channel, sent.purpose)
        return changed

    async def _another_way(
        self, conn: AsyncConnection, municipality: str, message_id: str, channel: Channel, purpose: Purpose
    ) -> None:
        if next_channel(channel, purpose) is Channel.VOICE:
            await self._store.speak_instead(conn, municipality, message_id)

    async def _move(
        self,
        conn: AsyncConnection,
        sent: Claimed,
        to: MessageState,
        *where: sa.ColumnElement[bool],
        only_from: set[MessageState] | None = None,
        **columns: Any,
    ) -> list[Changed]:
        return await self._store.move(
            conn,
            sent.municipality,
            [sent.message_id],
            to,
            *where,
            attempt=sent.attempt,
            only_from=None if only_from is None else frozenset(only_from),
            **columns,
        )

    @staticmethod
    def _meaning(status: Status) -> MessageState | None:
        if not status.word:  # the detection of a machine speaks before the call ends
            return S.UNDELIVERED if is_machine(status.answered_by) else S.SENT
        return meaning(status.channel, status.word, code=status.code, answered_by=status.answered_by)

    def _in(self, seconds: float) -> datetime:
        return self._store.real.now() + timedelta(seconds=seconds)


def _latest(sent: Claimed) -> tuple[sa.ColumnElement[bool], ...]:
    d = delivery.c
    return (
        d.municipality == sent.municipality,
        d.message_id == sent.message_id,
        d.attempt == sent.attempt,
    )
