"""Do what the door's requests say: move messages, hand answers to those who act on them.

What cannot be placed (a message or a number that we do not know) stays in ``door_inbox`` with its outcome,
for a person to see. It never stops what comes behind it.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, urlsplit

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import MessageState
from services.notify.inbound.writers import ANY_TOWN, find_writer, town_of, towns_of
from services.notify.outbound import audit, callback_token, incidents, link_token
from services.notify.outbound.callback_token import PARAMETER, Subject, TokenError
from services.notify.outbound.deliveries import Deliveries
from services.notify.outbound.link_token import Link, LinkError
from services.notify.outbound.outcomes import Heard, Outcomes, Status
from services.notify.outbound.phones import PhoneCipher
from services.notify.tables import delivery, door_inbox
from services.runtime.database import Database
from services.runtime.errors import Retriable

log = structlog.get_logger()

BATCH: Final = 100
IDLE_S: Final = 0.25
PAUSE_S: Final = 0.5
STATUS: Final = "message-status"
FAILED: Final = "failed: "
LINK: Final = "link"
Form = Mapping[str, Sequence[str]]
Held = dict[tuple[str, str], Any]


class OnReply(Protocol):
    """Act on an inbound text; a repeat of ``provider_id`` does nothing."""

    async def __call__(
        self,
        conn: AsyncConnection,
        *,
        municipality: str,
        recipient_id: str,
        text: str,
        received_at: datetime,
        provider_id: str,
    ) -> None: ...


class OnKeypress(Protocol):
    """Act on digits pressed in a call; a repeat of ``provider_id`` does nothing."""

    async def __call__(
        self,
        conn: AsyncConnection,
        *,
        municipality: str,
        message_id: str,
        digits: str,
        received_at: datetime,
        provider_id: str,
    ) -> None: ...


class OnLink(Protocol):
    """Act on an answer by link; a repeat of ``provider_id`` does nothing."""

    async def __call__(
        self,
        conn: AsyncConnection,
        *,
        municipality: str,
        person_id: str,
        alert_id: str,
        act: str,
        received_at: datetime,
        provider_id: str,
    ) -> None: ...


class Resolver:
    """Works off ``door_inbox`` in the order of arrival.

    Args:
        db: The service's database.
        deliveries: The store of messages.
        outcomes: Applies statuses.
        cipher: Opens what was sealed on arrival, finds phones.
        tokens: Secrets of our callback tokens, the present one first.
        senders: Each town's number.
        on_reply: Acts on texts.
        on_keypress: Acts on digits.
        on_link: Acts on answers by link.
    """

    def __init__(
        self,
        *,
        db: Database,
        deliveries: Deliveries,
        outcomes: Outcomes,
        cipher: PhoneCipher,
        tokens: Sequence[str],
        senders: Callable[[], Mapping[str, str]],
        on_reply: OnReply,
        on_keypress: OnKeypress,
        on_link: OnLink | None = None,
    ) -> None:
        self._db = db
        self._store = deliveries
        self._outcomes = outcomes
        self._cipher = cipher
        self._tokens = tokens
        self._senders = senders
        self._on_reply = on_reply
        self._on_keypress = on_keypress
        self._on_link = on_link
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look now; the puller calls this when it has brought something."""
        self._woken.set()

    def town_of(self, url: str, form: dict[str, list[str]]) -> str:
        """Return the town that a request is about, ``*`` when only its content can tell."""
        link = self._link(url)
        if link is not None:
            return link.municipality
        subject = self._subject(url)
        return subject.municipality if subject else town_of(self._senders(), _one(form, "To"))

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._woken.clear()
            try:
                await self.turn()
                async with asyncio.timeout(IDLE_S):
                    await self._woken.wait()
            except TimeoutError:
                continue
            except Retriable as err:
                log.warning("notify.answers_postponed", reason=type(err).__name__)
                await asyncio.sleep(PAUSE_S)

    async def turn(self) -> int:
        """Work off all that waits; return how many requests that were."""
        done = 0
        while ids := await self._waiting():
            worked = sum([await self._batch(batch) for batch in _batches(ids)])
            if not worked:  # another replica holds them all: look again when there is news, or later
                break
            done += worked
        return done

    async def waiting(self, conn: AsyncConnection) -> int:
        """Return how many requests of the door are not worked off."""
        count = sa.select(sa.func.count()).select_from(door_inbox).where(_UNPROCESSED)
        return int((await conn.execute(count)).scalar_one())

    async def _waiting(self) -> list[tuple[str, str, str]]:
        i = door_inbox.c
        wanted = sa.select(i.municipality, i.id, i.kind).where(_UNPROCESSED)
        async with self._db.reading() as conn:
            rows = await conn.execute(wanted.order_by(i.received_at, i.id).limit(BATCH))
            return [(row.municipality, row.id, row.kind) for row in rows]

    async def _batch(self, batch: Sequence[tuple[str, str, str]]) -> int:
        """Work off a batch in one transaction; if one of it fails for a bug of ours, each on its own."""
        try:
            return await self._transaction(batch)
        except Retriable:
            raise
        except Exception as err:
            log.exception("notify.answers_failed_together", count=len(batch), error=type(err).__name__)
            return sum([await self._alone(each) for each in batch])

    async def _alone(self, key: tuple[str, str, str]) -> int:
        try:
            return await self._transaction([key])
        except Retriable:
            raise
        except Exception as err:
            log.exception("notify.answer_failed", door_id=key[1], kind=key[2], error=type(err).__name__)
            async with self._db.transaction() as conn:
                await self._done(conn, key[0], [key[1]], f"{FAILED}{type(err).__name__}")
                await self._show(conn, key, type(err).__name__)
            return 1

    async def _show(self, conn: AsyncConnection, key: tuple[str, str, str], error: str) -> None:
        """Write down for people that what somebody answered had no effect: nobody else will tell them."""
        town, door_id, kind = key
        for each in self._senders() if town == ANY_TOWN else (town,):
            await audit.note(
                conn,
                each,
                actor="notify",
                action="answer.failed",
                object_id=door_id,
                detail={"kind": kind, "error": error},
                at=self._store.clock.now(),
            )

    async def _transaction(self, batch: Sequence[tuple[str, str, str]]) -> int:
        i = door_inbox.c
        keys = [(town, id_) for town, id_, _ in batch]
        mine = sa.select(door_inbox).where(sa.tuple_(i.municipality, i.id).in_(keys), _UNPROCESSED)
        mine = mine.order_by(i.received_at, i.id).with_for_update(skip_locked=True)
        async with self._db.transaction() as conn, self._store.events.packed(conn):
            done: dict[tuple[str, str], list[str]] = defaultdict(list)
            rows = (await conn.execute(mine)).all()
            held = await self._told_of(conn, rows)
            for row in rows:
                done[row.municipality, await self._one(conn, row, held)].append(row.id)
            for (town, outcome), ids in done.items():
                await self._done(conn, town, ids, outcome)
        return len(rows)

    async def _told_of(self, conn: AsyncConnection, rows: Sequence[Any]) -> Held:
        """Return the messages that statuses of a batch speak of, read at once."""
        subjects = [self._subject(row.url) for row in rows if row.kind == STATUS]
        keys = {(each.municipality, each.message_id) for each in subjects if each is not None}
        return await self._outcomes.about(conn, keys) if len(keys) > 1 else {}

    async def _one(self, conn: AsyncConnection, row: Any, held: Held) -> str:
        form: Form = json.loads(self._cipher.open(row.params_enc))
        if row.kind == "message-in":
            return await self._reply(conn, row, form)
        if row.kind == LINK:
            return await self._answer_by_link(conn, row, form)
        subject = self._subject(row.url)
        if subject is None:
            return "unknown_token"
        if row.kind == STATUS:
            # A message's second status must see what the first one made of it.
            message = held.pop((subject.municipality, subject.message_id), None)
            return (await self._outcomes.hear(conn, _status(subject, form), message)).value
        return await self._keypress(conn, row, subject, form)

    async def _reply(self, conn: AsyncConnection, row: Any, form: Form) -> str:
        text = _one(form, "Body")
        towns = towns_of(self._senders(), _one(form, "To"))
        writer = await find_writer(conn, towns, self._cipher.index(_one(form, "From")), text)
        if writer is None:
            log.warning("notify.reply_from_unknown_number", door_id=row.id)
            return "unknown_number"
        await self._on_reply(
            conn,
            municipality=writer.municipality,
            recipient_id=writer.recipient_id,
            text=text,
            received_at=row.received_at,
            provider_id=_one(form, "MessageSid") or row.id,
        )
        return Heard.APPLIED.value

    async def _answer_by_link(self, conn: AsyncConnection, row: Any, form: Form) -> str:
        link = self._link(row.url)
        if link is None or self._on_link is None:
            return "unknown_token"
        await self._on_link(
            conn,
            municipality=link.municipality,
            person_id=link.person_id,
            alert_id=link.alert_id,
            act=_one(form, "act"),
            received_at=row.received_at,
            provider_id=row.id,
        )
        return Heard.APPLIED.value

    async def _keypress(self, conn: AsyncConnection, row: Any, subject: Subject, form: Form) -> str:
        d, now = delivery.c, self._store.clock.now()
        town, message_id = subject.municipality, subject.message_id
        known = sa.select(d.incident_id).where(d.municipality == town, d.message_id == message_id)
        about = (await conn.execute(known)).first()
        if about is None:
            return Heard.UNKNOWN_MESSAGE.value
        # The incident before the message, as everywhere: two that wait for each other end in neither.
        await incidents.lock(conn, town, [about.incident_id])
        times: dict[str, Any] = {"answered_at": now, "delivered_at": sa.func.coalesce(d.delivered_at, now)}
        await self._store.move(conn, town, [message_id], MessageState.ANSWERED, **times)
        await self._on_keypress(
            conn,
            municipality=town,
            message_id=message_id,
            digits=_one(form, "Digits"),
            received_at=row.received_at,
            provider_id=f"{_one(form, 'CallSid')}/{urlsplit(row.url).path.rpartition('/')[2]}",
        )
        return Heard.APPLIED.value

    async def _done(self, conn: AsyncConnection, municipality: str, ids: Sequence[str], outcome: str) -> None:
        i = door_inbox.c
        if outcome not in {Heard.APPLIED, Heard.STALE}:
            log.warning("notify.door_requests_unplaced", door_ids=ids, outcome=outcome)
        await conn.execute(
            sa.update(door_inbox)
            .where(i.municipality == municipality, i.id.in_(ids))
            .values(processed_at=self._store.clock.now(), outcome=outcome[:128])
        )

    def _link(self, url: str) -> Link | None:
        path = urlsplit(url).path
        if not path.startswith(link_token.PATH):
            return None
        try:
            return link_token.read(path.removeprefix(link_token.PATH), self._tokens)
        except LinkError:
            return None

    def _subject(self, url: str) -> Subject | None:
        said = parse_qs(urlsplit(url).query).get(PARAMETER, [""])[0]
        try:
            return callback_token.read(said, self._tokens)
        except TokenError:
            return None


# Said as in the partial index, or SQLite does not use it.
_UNPROCESSED: Final = sa.text("processed_at IS NULL")


def _status(subject: Subject, form: Form) -> Status:
    code = _one(form, "ErrorCode")
    return Status(
        municipality=subject.municipality,
        message_id=subject.message_id,
        attempt=subject.attempt,
        channel=subject.channel,
        word=_one(form, "MessageStatus") or _one(form, "CallStatus"),
        sid=_one(form, "MessageSid") or _one(form, "CallSid") or None,
        code=int(code) if code.isascii() and code.isdigit() and len(code) < 10 else None,
        answered_by=_one(form, "AnsweredBy") or None,
    )


def _batches(ids: Sequence[tuple[str, str, str]]) -> list[Sequence[tuple[str, str, str]]]:
    """Group neighbouring statuses; an answer of a person is a transaction of its own."""
    batches: list[list[tuple[str, str, str]]] = []
    for each in ids:
        together = batches and each[2] == STATUS and batches[-1][0][2] == STATUS
        if together:
            batches[-1].append(each)
        else:
            batches.append([each])
    return list(batches)


def _one(form: Form, name: str) -> str:
    said = form.get(name)
    return said[0] if said else ""
