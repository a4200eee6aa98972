"""Accept readings, from whichever door: number, store, leave them for the relay, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events.readings import ReadingPublished
from services.ingest.domain.normalise import Reading, examine
from services.ingest.domain.sensors import Catalogue, KnownSensor
from services.ingest.domain.series import Outcome, enrol
from services.ingest.outbound import packs, quarantine, recognition, standing
from services.ingest.outbound.quarantine import Kept

_ENROLLED: Final = (Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.CORRECTION)


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
            for place, (start, end) in sorted_out.spans.items():
                mine = outcomes[start:end]
                counts[place].update({each: count for each in _ENROLLED if (count := mine.count(each))})
        return counts

    def _sorted_out(self, town: str, deliveries: Sequence[Delivery]) -> _SortedOut:
        """Tell what the town's list knows from what must be set apart: no such sensor of this property."""
        listed, found = self.catalogue.towns.get(town, {}), _SortedOut()
        offered, sensors = found.offered, found.sensors
        for place, delivery in enumerate(deliveries):
            if delivery.municipality != town:
                continue
            start = len(offered)
            for reading in delivery.readings:
                sensor = listed.get(reading.sensor_id)
                if sensor is None or sensor.measured is not reading.measured:
                    found.unknown.append(Kept(delivery.source, "sensor.unknown", _body(reading)))
                    found.unknown_places.append(place)
                else:
                    offered.append(examine(reading, sensor))
                    sensors[reading.sensor_id] = sensor
            found.spans[place] = start, len(offered)
        return found

    @staticmethod
    async def _enrol(
        conn: AsyncConnection, town: str, found: _SortedOut, *, received_at: datetime, stored_at: datetime
    ) -> tuple[Outcome, ...]:
        if not found.offered:
            return ()
        series = await standing.lock(conn, town, found.sensors)
        doubtful = {each.identity: each for each in found.offered if series[each.sensor_id].has_seen(each)}
        values = await recognition.values_of(conn, town, doubtful) if doubtful else {}
        done = enrol(found.offered, values, series)
        if done.new:
            moments = {"received_at": received_at, "stored_at": stored_at}
            await packs.add(conn, town, done.new, found.sensors, **moments)
            await recognition.remember(conn, town, done.new, doubtful)
            await standing.put(conn, town, done.series, at=received_at)
        return done.outcomes


@dataclass(slots=True)
class _SortedOut:
    """One town's readings of a commit. ``spans``: from where up to where each delivery's readings stand."""

    offered: list[Reading] = field(default_factory=list)
    spans: dict[int, tuple[int, int]] = field(default_factory=dict)
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
