"""What was accepted before, to recognise it when it comes again. Calls belong to one town and transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fingerprint import EPOCH, MICROSECOND
from services.ingest.domain.normalise import Reading, identity_of
from services.ingest.domain.series import Numbered
from services.ingest.outbound.tables import RUN, SEEN
from services.runtime.bulk import insert_rows

_CHUNK: Final = 500
_RUN: Final = ("municipality", "sensor_id", "last_us", "body")
_SEEN: Final = ("municipality", "identity", "value", "n")


class Told(msgspec.Struct, array_like=True, gc=False):
    """A reading of a run."""

    measured: str
    observed_at: datetime
    value: float


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[Told]).decode

_ASKED: Final = {
    "sqlite": "SELECT json_extract(value, '$[0]') AS sensor_id, json_extract(value, '$[1]') AS us"
    " FROM json_each(:asked)",
    "postgresql": "SELECT value->>0 AS sensor_id, CAST(value->>1 AS bigint) AS us"
    " FROM jsonb_array_elements(CAST(:asked AS jsonb)) AS t(value)",
}
_COVERING: Final = {
    dialect: sa.text(
        f"WITH asked AS ({asked}), covering AS (SELECT DISTINCT a.sensor_id,"
        " (SELECT x.last_us FROM run x WHERE x.municipality = :town AND x.sensor_id = a.sensor_id"
        " AND x.last_us >= a.us ORDER BY x.last_us LIMIT 1) AS last_us FROM asked a)"
        " SELECT r.sensor_id, r.body FROM covering c CROSS JOIN run r"
        " WHERE r.municipality = :town AND r.sensor_id = c.sensor_id AND r.last_us = c.last_us"
    )
    for dialect, asked in _ASKED.items()
}
"""A sensor's runs do not overlap: only the first one that ends at a moment or behind it can hold it."""


async def values_of(
    conn: AsyncConnection, municipality: str, doubtful: Mapping[str, Reading]
) -> dict[str, frozenset[float]]:
    """Return the values already accepted under each identity; absent where there is none."""
    found: dict[str, frozenset[float]] = {}
    of_town = sa.select(SEEN.c.identity, SEEN.c.value).where(SEEN.c.municipality == municipality)
    for chunk in _chunks(list(doubtful)):
        for identity, value in await conn.execute(of_town.where(SEEN.c.identity.in_(chunk))):
            found[identity] = found.get(identity, frozenset()) | {value}
    by_moment = [each for each in doubtful.values() if each.event_id is None]
    for sensor_id, body in await _covering(conn, municipality, by_moment):
        for told in _decode(body):
            identity = identity_of(sensor_id, told.measured, told.observed_at)
            if identity in doubtful:
                found[identity] = found.get(identity, frozenset()) | {told.value}
    return found


async def remember(
    conn: AsyncConnection, municipality: str, new: Sequence[Numbered], doubtful: Collection[str]
) -> None:
    """Keep what was accepted, so that it is recognised when it comes again.

    ``doubtful``: Identities of what was not newer than its series, or has an id of its own.
    """
    runs: dict[str, list[Told]] = {}
    seen: list[tuple[str, str, float, int]] = []
    for each in new:
        reading = each.reading
        is_doubtful = bool(doubtful) and each.identity in doubtful
        if is_doubtful or each.correction:
            seen.append((municipality, each.identity, reading.value, each.n))
        if is_doubtful:
            continue
        told = Told(reading.measured, reading.observed_at, reading.value)
        if reading.sensor_id in runs:
            runs[reading.sensor_id].append(told)
        else:
            runs[reading.sensor_id] = [told]
    rows = [
        (municipality, sensor_id, microseconds(max([told.observed_at for told in run])), _encode(run))
        for sensor_id, run in sorted(runs.items())
    ]
    await insert_rows(conn, RUN, _RUN, rows)
    await insert_rows(conn, SEEN, _SEEN, sorted(seen))


async def corrected(conn: AsyncConnection, municipality: str, numbers: Mapping[str, int]) -> frozenset[str]:
    """Return the identities under which a later number than this one was accepted."""
    found: set[str] = set()
    wanted = sa.select(SEEN.c.identity, SEEN.c.n).where(SEEN.c.municipality == municipality)
    for chunk in _chunks(list(numbers)):
        rows = await conn.execute(wanted.where(SEEN.c.identity.in_(chunk)))
        found |= {identity for identity, n in rows if n > numbers[identity]}
    return frozenset(found)


async def forget(
    conn: AsyncConnection, municipality: str, numbers: Mapping[str, int], newest: Mapping[str, datetime]
) -> None:
    """Let go of readings: by identity up to a number, by sensor up to a moment."""
    seen = [{"of_town": municipality, "of_identity": key, "up_to": n} for key, n in numbers.items()]
    runs = [
        {"of_town": municipality, "of_sensor": sensor_id, "up_to": microseconds(at)}
        for sensor_id, at in newest.items()
    ]
    await conn.execute(_FORGET_SEEN, seen)
    await conn.execute(_FORGET_RUNS, runs)


_FORGET_SEEN: Final = sa.delete(SEEN).where(
    SEEN.c.municipality == sa.bindparam("of_town"),
    SEEN.c.identity == sa.bindparam("of_identity"),
    SEEN.c.n <= sa.bindparam("up_to"),
)
_FORGET_RUNS: Final = sa.delete(RUN).where(
    RUN.c.municipality == sa.bindparam("of_town"),
    RUN.c.sensor_id == sa.bindparam("of_sensor"),
    RUN.c.last_us <= sa.bindparam("up_to"),
)


def microseconds(moment: datetime) -> int:
    """Return a moment as microseconds since 1970."""
    return (moment - EPOCH) // MICROSECOND


async def _covering(
    conn: AsyncConnection, municipality: str, readings: Sequence[Reading]
) -> list[tuple[str, bytes]]:
    """Return the runs that hold these readings, if any does."""
    if not readings:
        return []
    asked = msgspec.json.encode([(each.sensor_id, microseconds(each.observed_at)) for each in readings])
    statement = _COVERING[conn.dialect.name]
    rows = await conn.execute(statement, {"asked": asked.decode(), "town": municipality})
    return [(row[0], bytes(row[1])) for row in rows]


def _chunks(items: Sequence[str]) -> list[Sequence[str]]:
    return [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]
