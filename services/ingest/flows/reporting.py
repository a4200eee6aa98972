"""Take a report in: its row and its publication, in one transaction; the same again changes nothing."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Envelope
from schemas.events.reports import ReportReceived
from schemas.topics import REPORTS
from schemas.vocabulary import Lane
from services.ingest.domain.offered import Offered
from services.ingest.errors import KeyUsedTwice
from services.ingest.outbound import reports
from services.ingest.outbound.reports import Row
from services.runtime.outbox import Outbox, Outgoing

SOURCE: Final = "ingest"
SECRET_BYTES: Final = 18


@dataclass(frozen=True, slots=True)
class Handed:
    """A report as a source handed it over, under the key by which it knows it."""

    municipality: str
    source: str
    key: str
    offered: Offered

    @property
    def identity(self) -> str:
        return hashlib.sha256(f"{self.source}\n{self.key}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Taken:
    """``is_new`` is false where the same report had come before."""

    row: Row
    is_new: bool


async def take(
    conn: AsyncConnection, outbox: Outbox, handed: Handed, *, received_at: datetime, stored_at: datetime
) -> Taken:
    """Keep a report and leave it for the relay.

    Raises:
        KeyUsedTwice: Another report came under the same key.
    """
    said, town = handed.offered, handed.municipality
    row = Row(
        # Who does not have it cannot guess it: it is all that opens the public status.
        report_id=f"{town}~{secrets.token_urlsafe(SECRET_BYTES)}",
        identity=handed.identity,
        fingerprint=said.fingerprint,
        category=said.category,
        zone=said.zone,
        channel=said.channel.value,
        reported_at=min(said.reported_at, received_at),
        received_at=received_at,
    )
    if await reports.add(conn, town, row, stored_at):
        await outbox.add(conn, town, [_outgoing(handed, row)])
        return Taken(row, is_new=True)
    before = await reports.same(conn, town, handed.identity)
    if before is None or before.fingerprint != row.fingerprint:
        raise KeyUsedTwice
    return Taken(before, is_new=False)


def _outgoing(handed: Handed, row: Row) -> Outgoing:
    said = handed.offered
    event = ReportReceived(
        report_id=row.report_id,
        category=said.category,
        text=said.text,
        withheld=said.withheld,
        zone=said.zone,
        lat=said.lat,
        lon=said.lon,
        address=said.address,
        reported_at=row.reported_at,
        received_at=row.received_at,
        channel=said.channel,
        source=handed.source,
    )
    envelope = Envelope(
        id=row.report_id,
        source=SOURCE,
        type=ReportReceived.TYPE,
        time=row.received_at,
        municipality=handed.municipality,
        subject=row.report_id,
        correlation_id=row.report_id,
    )
    return Outgoing(REPORTS.name, handed.municipality, envelope, event.json_bytes(), Lane.REPORTS)
