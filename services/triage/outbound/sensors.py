"""Sensor states in rows: loaded whole per partition, saved as they change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.bulk import Row, moment_of, put_rows
from services.triage.domain.state import STATE_VERSION, SensorState, decode_sensor, encode
from services.triage.errors import UnknownState
from services.triage.tables import sensor

_COLUMNS: Final = (
    "municipality",
    "sensor_id",
    "partition",
    "last_n",
    "count",
    "digest",
    "observed_at",
    "state",
)


class SensorStore:
    """The table ``sensor``."""

    async def load_partition(
        self, conn: AsyncConnection, municipality: str, partition: int
    ) -> dict[str, SensorState]:
        """Return the states of a town's sensors on one partition, by sensor."""
        wanted = sa.select(sensor.c.state).where(
            sensor.c.municipality == municipality, sensor.c.partition == partition
        )
        states = [_read(raw) for raw in (await conn.execute(wanted)).scalars()]
        return {state.sensor_id: state for state in states}

    async def save(
        self, conn: AsyncConnection, municipality: str, partition: int, states: Iterable[SensorState]
    ) -> None:
        """Write states, new or changed."""
        moment = moment_of(conn)
        rows = [_row(municipality, partition, state, moment) for state in states]
        await put_rows(conn, sensor, _COLUMNS, ("municipality", "sensor_id"), rows)

    async def list(
        self, conn: AsyncConnection, municipality: str, *, after: str = "", limit: int = 500
    ) -> Sequence[SensorState]:
        """Return states in the order of sensor ids, from behind ``after``."""
        wanted = (
            sa.select(sensor.c.state)
            .where(sensor.c.municipality == municipality, sensor.c.sensor_id > after)
            .order_by(sensor.c.sensor_id)
            .limit(limit)
        )
        return [_read(raw) for raw in (await conn.execute(wanted)).scalars()]


def _read(raw: bytes) -> SensorState:
    state = decode_sensor(raw)
    if state.v > STATE_VERSION:
        raise UnknownState(f"sensor {state.sensor_id}: state version {state.v} is newer than this release")
    return state


def _row(
    municipality: str, partition: int, state: SensorState, moment: Callable[[datetime], datetime | str]
) -> Row:
    newest = moment(state.newest[0].astimezone(UTC)) if state.newest else None
    return (
        municipality,
        state.sensor_id,
        partition,
        state.last_n,
        state.count,
        f"{state.digest:016x}",
        newest,
        encode(state),
    )
