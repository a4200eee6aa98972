"""Accepted readings as they were accepted, for the record of a run; reading only."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.outbound import packs
from services.ingest.outbound.packs import Measured
from services.ingest.outbound.tables import PACK

PLACES: Final = 1000
"""More than a pack holds: a reading's number is its pack's, times this, and its place in it."""


async def accepted_between(
    conn: AsyncConnection,
    municipality: str,
    since: datetime,
    until: datetime,
    *,
    after: int,
    limit: int,
) -> list[dict[str, Any]]:
    """Return readings received from ``since`` up to but without ``until``, each sensor's in order."""
    t = PACK.c
    asked = (t.municipality == municipality, t.received_at >= since, t.received_at < until)
    found = await packs.kept(conn, *asked, t.id >= after // PLACES, readings_most=limit + PLACES)
    rows = [
        _shown(number, measured, pack.received_at)
        for pack in found
        for place, measured in enumerate(pack.readings)
        if (number := pack.id * PLACES + place) > after
    ]
    return rows[:limit]


def _shown(number: int, measured: Measured, received_at: datetime) -> dict[str, Any]:
    return {
        "id": number,
        "n": measured.n,
        "sensor_id": measured.sensor_id,
        "property": measured.property,
        "value": measured.value,
        "unit": measured.unit,
        "quality": measured.quality,
        "sequence": _or_none(measured.sequence),
        "event_id": _or_none(measured.event_id),
        "correction": measured.correction,
        "observed_at": measured.observed_at.isoformat(),
        "received_at": received_at.isoformat(),
    }


def _or_none(said: object) -> object:
    return None if said is msgspec.UNSET else said
