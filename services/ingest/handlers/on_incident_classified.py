"""``incident.classified``: how the incident stands to which people's reports were joined."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events.incidents import IncidentClassified
from services.ingest.outbound import reports


async def handle(
    conn: AsyncConnection, municipality: str, event: IncidentClassified, stored_at: datetime
) -> None:
    """Keep its state; a version not newer than the one held changes nothing."""
    await reports.put_incident(conn, municipality, event, stored_at)
