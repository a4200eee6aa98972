"""Accept readings, from whichever door: number, store, leave them for the relay, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events.readings import ReadingPublished
from services.ingest.domain.normalise import Reading, examine
from services.ingest.domain.sensors import Catalogue, KnownSensor
from services.ingest.domain.series import Outcome, enrol
from services.ingest.outbound import quarantine, readings
from services.ingest.outbound.quarantine import Kept


@dataclass(frozen=True, slots=True)
class Delivery:
    """The good readings of one request or record.

    Attributes:
        source: Who sent them: a key's name, or a CloudEvents source.
    """

    municipality: str
    source: str
    readings: tuple[Reading, ...]


class Acceptance:
    """Takes deliveries in. ``outcomes`` come back in the order of the readings."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    async def accept(
        self,
        conn: AsyncConnection,
        deliveries: Sequence[Delivery],
        *,
        received_at: datetime,
        stored_at: datetime,
    ) -> list[Counter[Outcome]]:
        """Store the deliveries of any towns; return per delivery how many readings had which outcome."""
        counts: list[Counter[Outcome]] = [Counter() for _ in deliveries]
        for town in sorted({delivery.municipality for delivery in deliveries}):
            mine = [(at, delivery) for at, delivery in enumerate(deliveries) if delivery.municipality == town]
            await self._set_apart(conn, town, mine, counts, stored_at)
            await self._enrol(conn, town, mine, counts, received_at=received_at, stored_at=stored_at)
        return counts

    def sensor_of(self, municipality: str, reading: Reading) -> KnownSensor | None:
        """Return the town's row for this reading; None where it lists no such sensor of this property."""
        sensor = self.catalogue.find(municipality, reading.sensor_id)
        return sensor if sensor is not None and sensor.measured is reading.measured else None

    async def _set_apart(
        self,
        conn: AsyncConnection,
        town: str,
        mine: Sequence[tuple[int, Delivery]],
        counts: Sequence[Counter[Outcome]],
        at: datetime,
    ) -> None:
        kept: list[Kept] = []
        for place, delivery in mine:
            unknown = [r for r in delivery.readings if self.sensor_of(town, r) is None]
            kept += [Kept(delivery.source, "sensor.unknown", _body(reading)) for reading in unknown]
            counts[place][Outcome.QUARANTINED] += len(unknown)
        await quarantine.keep(conn, town, kept, at)

    async def _enrol(
        self,
        conn: AsyncConnection,
        town: str,
        mine: Sequence[tuple[int, Delivery]],
        counts: Sequence[Counter[Outcome]],
        *,
        received_at: datetime,
        stored_at: datetime,
    ) -> None:
        offered, places, sensors = self._known(town, mine)
        if not offered:
            return
        series = await readings.lock_series(conn, town, list(sensors))
        stored = await readings.values_of(conn, town, list({reading.identity for reading in offered}))
        done = enrol(offered, stored, series)
        for place, outcome in zip(places, done.outcomes, strict=True):
            counts[place][outcome] += 1
        if done.new:
            await readings.add(conn, town, done.new, sensors, received_at=received_at, stored_at=stored_at)
            await readings.put_series(conn, town, done.series, done.new, at=received_at)

    def _known(
        self, town: str, mine: Sequence[tuple[int, Delivery]]
    ) -> tuple[list[Reading], list[int], Mapping[str, KnownSensor]]:
        offered: list[Reading] = []
        places: list[int] = []
        sensors: dict[str, KnownSensor] = {}
        for place, delivery in mine:
            for reading in delivery.readings:
                sensor = self.sensor_of(town, reading)
                if sensor is not None:
                    offered.append(examine(reading, sensor))
                    places.append(place)
                    sensors[sensor.sensor_id] = sensor
        return offered, places, sensors


def _body(reading: Reading) -> bytes:
    event = ReadingPublished(
        sensor_id=reading.sensor_id,
        property=reading.measured.value,
        value=reading.value,
        unit=reading.unit,
        observed_at=reading.observed_at,
        sequence=reading.sequence,
        quality=reading.quality,
        event_id=reading.event_id,
    )
    return event.json_bytes()
