"""Accept readings, from whichever door: number, store, leave them for the relay, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events.readings import ReadingPublished
from services.ingest.domain.normalise import Reading, examine
from services.ingest.domain.sensors import Catalogue, KnownSensor
from services.ingest.domain.series import Outcome, enrol
from services.ingest.outbound import packed, quarantine, readings
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
            sorted_out = self._sorted_out(town, deliveries)
            for place in sorted_out.unknown_places:
                counts[place][Outcome.QUARANTINED] += 1
            await quarantine.keep(conn, town, sorted_out.unknown, stored_at)
            outcomes = await self._enrol(conn, town, sorted_out, received_at=received_at, stored_at=stored_at)
            for place, outcome in zip(sorted_out.places, outcomes, strict=True):
                counts[place][outcome] += 1
        return counts

    def _sorted_out(self, town: str, deliveries: Sequence[Delivery]) -> _SortedOut:
        """Tell what the town's list knows from what must be set apart: no such sensor of this property."""
        listed, found = self.catalogue.towns.get(town, {}), _SortedOut()
        for place, delivery in enumerate(deliveries):
            if delivery.municipality != town:
                continue
            for reading in delivery.readings:
                sensor = listed.get(reading.sensor_id)
                if sensor is None or sensor.measured is not reading.measured:
                    found.unknown.append(Kept(delivery.source, "sensor.unknown", _body(reading)))
                    found.unknown_places.append(place)
                else:
                    found.offered.append(examine(reading, sensor))
                    found.places.append(place)
                    found.sensors[sensor.sensor_id] = sensor
        return found

    @staticmethod
    async def _enrol(
        conn: AsyncConnection, town: str, found: _SortedOut, *, received_at: datetime, stored_at: datetime
    ) -> tuple[Outcome, ...]:
        if not found.offered:
            return ()
        series = await readings.lock_series(conn, town, list(found.sensors))
        doubtful = {each.identity for each in found.offered if series[each.sensor_id].has_seen(each)}
        stored = await readings.values_of(conn, town, list(doubtful))
        done = enrol(found.offered, stored, series)
        if done.new:
            spoke = {each.reading.sensor_id for each in done.new}
            moments = {"received_at": received_at, "stored_at": stored_at}
            await readings.add(conn, town, done.new, **moments)
            await packed.add(conn, town, done.new, found.sensors, **moments)
            await readings.put_series(conn, town, done.series, list(spoke), at=received_at)
        return done.outcomes


@dataclass(slots=True)
class _SortedOut:
    """One town's readings of a commit. ``places``: of which delivery each is."""

    offered: list[Reading] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    sensors: dict[str, KnownSensor] = field(default_factory=dict)
    unknown: list[Kept] = field(default_factory=list)
    unknown_places: list[int] = field(default_factory=list)


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
