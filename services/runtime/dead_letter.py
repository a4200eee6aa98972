"""Records that no handler may act on: kept with a reason, published on ``<topic>.dead``."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import EVERY_MUNICIPALITY, Envelope
from schemas.topics import DEAD_SUFFIX
from schemas.vocabulary import Lane
from services.runtime import metrics
from services.runtime.database import insert_into
from services.runtime.errors import Refused
from services.runtime.outbox import Outbox, Outgoing, pack_headers, unpack_headers
from services.runtime.records import Record
from services.runtime.tables import RuntimeTables

KEPT_BYTES = 65_536
DEAD_TYPE = "record.dead_lettered"

State = Literal["new", "replayed", "discarded"]

_PLACE: Final = ("municipality", "topic", "partition", "offset", "value_sha256")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One refused record. ``value`` is cut at 64 KiB, ``value_bytes`` is its true size."""

    id: int
    municipality: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    value: bytes
    value_bytes: int
    reason: str
    detail: str
    is_attack: bool
    at: datetime
    state: State

    def record(self) -> Record:
        """Return the record as it came, for a second try. Only whole when nothing was cut."""
        return Record(self.topic, self.partition, self.offset, self.key, self.value, self.headers)


class DeadLetters:
    """The dead-letter table of one service."""

    def __init__(self, tables: RuntimeTables, outbox: Outbox, service: str) -> None:
        self._table = tables.dead_letter
        self._outbox = outbox
        self._service = service

    async def add(
        self,
        conn: AsyncConnection,
        record: Record,
        reason: str,
        detail: str,
        at: datetime,
        *,
        is_attack: bool = False,
    ) -> bool:
        """Keep and publish a refused record; say whether it was new. A re-read record is kept once."""
        row = _row(record, reason, detail, at, is_attack)
        insert = insert_into(conn, self._table).values(row).on_conflict_do_nothing()
        if (await conn.execute(insert)).rowcount != 1:
            return False
        metrics.DEAD_LETTERS.labels(record.topic, reason).inc()
        await self._outbox.add(conn, row["municipality"], [self._published(record, row)])
        return True

    async def add_refused(
        self, conn: AsyncConnection, record: Record, refused: Refused, at: datetime
    ) -> bool:
        """Keep a record that ``open_record`` or a handler refused."""
        return await self.add(conn, record, refused.reason, refused.detail, at, is_attack=refused.is_attack)

    async def add_all_refused(
        self, conn: AsyncConnection, refused: Sequence[tuple[Record, Refused]], at: datetime
    ) -> int:
        """Keep and publish many at once, town by town; return how many were new."""
        rows = [_row(record, why.reason, why.detail, at, why.is_attack) for record, why in refused]
        if not rows:
            return 0
        places = [self._table.c[name] for name in _PLACE]
        insert = insert_into(conn, self._table).on_conflict_do_nothing().returning(*places)
        new = {tuple(place) for place in await conn.execute(insert, rows)}
        by_town: dict[str, list[Outgoing]] = {}
        for (record, _), row in zip(refused, rows, strict=True):
            if tuple(row[name] for name in _PLACE) in new:
                metrics.DEAD_LETTERS.labels(record.topic, row["reason"]).inc()
                by_town.setdefault(row["municipality"], []).append(self._published(record, row))
        for town, outgoing in by_town.items():
            await self._outbox.add(conn, town, outgoing)
        return len(new)

    async def list(
        self, conn: AsyncConnection, *, after: int = 0, limit: int = 100, state: State | None = "new"
    ) -> Sequence[DeadLetter]:
        """Return dead letters in the order of arrival, from behind id ``after``."""
        t = self._table
        wanted = sa.select(t).where(t.c.id > after).order_by(t.c.id).limit(limit)
        if state is not None:
            wanted = wanted.where(t.c.state == state)
        return [_letter(row) for row in (await conn.execute(wanted)).mappings()]

    async def show(self, conn: AsyncConnection, letter_id: int) -> DeadLetter | None:
        row = (
            (await conn.execute(sa.select(self._table).where(self._table.c.id == letter_id)))
            .mappings()
            .first()
        )
        return _letter(row) if row is not None else None

    async def settle(
        self, conn: AsyncConnection, letter_id: int, state: Literal["replayed", "discarded"]
    ) -> bool:
        """Note a person's answer; say whether the letter was still open."""
        t = self._table
        is_open = (t.c.id == letter_id) & (t.c.state == "new")
        return (await conn.execute(sa.update(t).where(is_open).values(state=state))).rowcount == 1

    async def count(self, conn: AsyncConnection) -> int:
        """Return how many wait for a person."""
        t = self._table
        count = sa.select(sa.func.count()).select_from(t).where(t.c.state == "new")
        return int((await conn.execute(count)).scalar_one())

    def _published(self, record: Record, row: dict[str, Any]) -> Outgoing:
        said = {
            name: row[name] for name in ("topic", "partition", "offset", "reason", "detail", "value_sha256")
        }
        said["value_base64"] = base64.b64encode(row["value"]).decode()
        place = f"{self._service}/{record.topic}/{record.partition}/{record.offset}/{row['value_sha256']}"
        envelope = Envelope(
            id=str(uuid.uuid5(uuid.NAMESPACE_URL, place)),
            source=self._service,
            type=DEAD_TYPE,
            time=row["at"],
            municipality=row["municipality"],
        )
        key = f"{record.topic}/{record.partition}"
        return Outgoing(
            record.topic + DEAD_SUFFIX, key, envelope, json.dumps(said).encode(), Lane.DEAD_LETTERS
        )


def _row(record: Record, reason: str, detail: str, at: datetime, is_attack: bool) -> dict[str, Any]:
    return {
        "municipality": _municipality_of(record),
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": record.key[:KEPT_BYTES] if record.key is not None else None,
        "headers": pack_headers(_bounded(record.headers)),
        "value": record.value[:KEPT_BYTES],
        "value_bytes": len(record.value),
        "value_sha256": hashlib.sha256(record.value).hexdigest(),
        "reason": _text(reason, 128),
        "detail": _text(detail, 1000),
        "is_attack": is_attack,
        "at": at,
    }


def _text(text: str, most: int) -> str:
    """Return text that any database keeps: bounded, without the null character that PostgreSQL refuses."""
    return text.replace("\x00", "\ufffd")[:most]


def _bounded(headers: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return [(name[:256], raw[:1024]) for name, raw in headers[:64]]


def _municipality_of(record: Record) -> str:
    """Return the town that the record names, if it names one in a form of ours; nobody vouches for it."""
    named = next((raw for name, raw in record.headers if name == "ce_municipality"), b"")
    text = named.decode("ascii", "ignore")
    is_usable = 0 < len(text) <= 64 and text.replace("-", "").replace("_", "").isalnum()
    return text if is_usable else EVERY_MUNICIPALITY


def _letter(row: sa.RowMapping) -> DeadLetter:
    return DeadLetter(
        id=row["id"],
        municipality=row["municipality"],
        topic=row["topic"],
        partition=row["partition"],
        offset=row["offset"],
        key=row["key"],
        headers=unpack_headers(row["headers"]),
        value=row["value"],
        value_bytes=row["value_bytes"],
        reason=row["reason"],
        detail=row["detail"],
        is_attack=row["is_attack"],
        at=row["at"],
        state=row["state"],
    )
