"""Tell the others what became of messages: ids and states, packed, in the transaction that changed them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Envelope
from schemas.events.messages import MessageStatus, MessageUpdated
from schemas.topics import MESSAGES
from schemas.vocabulary import Channel, Lane, MessageState, Purpose
from services.runtime.outbox import Outbox, Outgoing

MOST_PER_EVENT = 500

OnChanged = Callable[[AsyncConnection, Sequence["Changed"]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Changed:
    """A message that has just entered ``state``. ``maybe_duplicate``: an earlier try may have arrived too."""

    municipality: str
    message_id: str
    alert_id: str
    incident_id: str
    recipient_id: str
    channel: Channel
    purpose: Purpose
    state: MessageState
    at: datetime
    warning_id: str | None = None
    version: int | None = None
    code: int | None = None
    exercise_id: str | None = None
    correlation_id: str | None = None
    maybe_duplicate: bool = False

    @staticmethod
    def of(row: Any) -> Changed:
        """Read it from a row of ``delivery``."""
        return Changed(
            municipality=row.municipality,
            message_id=row.message_id,
            alert_id=row.alert_id,
            incident_id=row.incident_id,
            recipient_id=row.recipient_id,
            channel=Channel(row.channel),
            purpose=Purpose(row.purpose),
            state=MessageState(row.state),
            at=row.updated_at,
            warning_id=row.warning_id,
            version=row.version,
            code=row.code,
            exercise_id=row.exercise_id,
            correlation_id=row.correlation_id,
            maybe_duplicate=row.maybe_duplicate,
        )

    def status(self) -> MessageStatus:
        return MessageStatus(
            message_id=self.message_id,
            recipient_id=self.recipient_id,
            channel=self.channel,
            purpose=self.purpose,
            state=self.state,
            at=self.at,
            warning_id=self.warning_id,
            version=self.version,
            code=self.code,
        )


class MessageEvents:
    """Writes ``message.updated`` to the outbox, up to 500 messages of one incident in one event.

    Args:
        outbox: The service's outbox.
        on_changed: Called in the same transaction with the same changes: the warning's own ledger.
    """

    def __init__(self, outbox: Outbox, on_changed: OnChanged | None = None) -> None:
        self._outbox = outbox
        self._open: dict[AsyncConnection, list[Changed]] = {}
        self.on_changed = on_changed

    @asynccontextmanager
    async def packed(self, conn: AsyncConnection) -> AsyncIterator[None]:
        """Gather all that changes inside and tell it at the end, in as few events as it takes."""
        if conn in self._open:
            yield
            return
        gathered: list[Changed] = []
        self._open[conn] = gathered
        try:
            yield
        finally:
            del self._open[conn]
        await self.tell(conn, gathered)

    async def tell(self, conn: AsyncConnection, changed: Sequence[Changed]) -> None:
        """Publish the changes; the last state of each message wins where one changed twice."""
        if conn in self._open:
            self._open[conn].extend(changed)
            return
        if not changed:
            return
        by_town: dict[str, list[Outgoing]] = defaultdict(list)
        for town, outgoing in _events(changed):
            by_town[town].append(outgoing)
        for town, events in by_town.items():
            await self._outbox.add(conn, town, events)
        if self.on_changed is not None:
            await self.on_changed(conn, changed)


def _events(changed: Iterable[Changed]) -> Iterator[tuple[str, Outgoing]]:
    groups: dict[tuple[str, str, str | None], dict[str, Changed]] = defaultdict(dict)
    for each in changed:
        groups[each.municipality, each.incident_id, each.exercise_id][each.message_id] = each
    for (town, incident_id, exercise_id), messages in groups.items():
        news = list(messages.values())
        for start in range(0, len(news), MOST_PER_EVENT):
            yield town, _event(town, incident_id, exercise_id, news[start : start + MOST_PER_EVENT])


def _event(town: str, incident_id: str, exercise_id: str | None, news: Sequence[Changed]) -> Outgoing:
    event = MessageUpdated(incident_id=incident_id, messages=tuple(each.status() for each in news))
    envelope = Envelope(
        id=str(uuid4()),
        source="/notify",
        type=MessageUpdated.TYPE,
        time=max(each.at for each in news),
        municipality=town,
        subject=incident_id,
        correlation_id=news[0].correlation_id,
        exercise_id=exercise_id,
    )
    return Outgoing(MESSAGES.name, incident_id, envelope, event.json_bytes(), Lane.MESSAGES)
