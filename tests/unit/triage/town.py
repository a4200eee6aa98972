"""A town for triage's tests: written, loaded, and fed by hand."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import SecretStr

from schemas.envelope import EVERY_MUNICIPALITY, Envelope
from schemas.events.base import Event
from schemas.events.decisions import CoordinatorDecided
from schemas.events.readings import ClockTicked, Measurement, SensorMeasured
from schemas.municipality import Municipality, load_folder
from schemas.topics import DECISIONS, READINGS, partition_of
from schemas.vocabulary import Property, Verb, Via
from services.runtime.clock import HandClock
from services.runtime.database import Database
from services.runtime.records import Record
from services.runtime.signing import Signer, generate_keys, load_signer, load_verifier
from services.triage.app import App
from services.triage.domain.inputs import Reading
from services.triage.settings import TriageSettings
from tests.support.migrated import migrated
from tests.support.towns import operator_key, write_town

START = datetime(2026, 5, 1, 6, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def load(directory: Path, town_id: str = "villa", **options: object) -> Municipality:
    chosen = {"zones": 3, "residents_per_zone": 1, **options}
    return load_folder(write_town(directory, town_id, **chosen).folder)


def reading(
    n: int,
    minutes: float,
    value: float,
    *,
    sensor: str = "g-001",
    quality: str = "good",
    received: float | None = None,
    unit: str = "m",
    correction: bool = False,
) -> Reading:
    return Reading(
        n=n,
        sensor_id=sensor,
        property="river_level",
        value=value,
        unit=unit,
        observed_at=at(minutes),
        received_at=at(minutes if received is None else received),
        quality=quality,
        correction=correction,
    )


class Desk:
    """One App on one database, fed with records; ``crash`` throws it away and opens another on the same."""

    def __init__(self, directory: Path, towns: Sequence[Municipality], url: str | None = None) -> None:
        self.directory = directory
        self.url = url or f"sqlite:///{directory / 'triage.sqlite'}"
        self.towns = {town.id: town for town in towns}
        self.clock = HandClock(START)
        self.keys = directory / "keys"
        generate_keys(self.keys, ["ingest", "triage", "notify"])
        self.offsets: dict[tuple[str, int], int] = {}
        self.app = self.another_app()

    def another_app(self) -> App:
        settings = TriageSettings(
            keys_dir=self.keys, data_dir=self.directory, admin_token=SecretStr("an admin token")
        )
        db = Database(migrated(self.url, "triage"), schema="triage")
        return App(settings, db=db, clock=self.clock, municipalities=self.towns)

    async def crash(self) -> None:
        """Lose everything that is in memory."""
        await self.app.db.close()
        self.app = self.another_app()
        await self.app.start()

    def signer(self, service: str = "notify") -> Signer:
        return load_signer(self.keys, service)

    def record(self, topic: str, partition: int, envelope: Envelope, value: bytes) -> Record:
        offset = self.offsets.get((topic, partition), 0)
        self.offsets[topic, partition] = offset + 1
        return Record(topic, partition, offset, None, value, tuple(envelope.headers()))

    def partition(self, town: str, sensor: str) -> int:
        return partition_of(town, self.towns[town].sensor_of[sensor].site)

    def measured(self, town: str, readings: Sequence[Reading]) -> Record:
        event = SensorMeasured(
            readings=tuple(
                Measurement(
                    n=one.n,
                    sensor_id=one.sensor_id,
                    property=Property(one.property),
                    value=one.value,
                    unit=one.unit,
                    observed_at=one.observed_at,
                    received_at=one.received_at,
                    quality=one.quality,
                    correction=one.correction,
                )
                for one in readings
            )
        )
        partition = self.partition(town, readings[0].sensor_id)
        return self.record(READINGS.name, partition, envelope_of(event, town, "ingest"), event.json_bytes())

    async def measure(self, town: str, *readings: Reading) -> Record:
        record = self.measured(town, readings)
        await self.app.consume(READINGS.name, [record])
        return record

    async def tick(self, minutes: float) -> None:
        """Let the town's clock reach a moment and every partition hear of it."""
        self.clock.set(at(minutes))
        event = ClockTicked(now=at(minutes))
        for partition in range(READINGS.partitions):
            envelope = envelope_of(event, EVERY_MUNICIPALITY, "ingest")
            record = self.record(READINGS.name, partition, envelope, event.json_bytes())
            await self.app.consume(READINGS.name, [record])

    def decided(self, town: str, event: CoordinatorDecided, *, signed_by: str | None = "notify") -> Record:
        envelope, value = envelope_of(event, town, "notify"), event.json_bytes()
        if signed_by is not None:
            envelope = self.signer(signed_by).seal(DECISIONS.name, envelope, value)
        return self.record(DECISIONS.name, 0, envelope, value)

    async def decide(self, town: str, event: CoordinatorDecided, **options: str | None) -> None:
        await self.app.consume(DECISIONS.name, [self.decided(town, event, **options)])

    async def published(self, kind: str, town: str | None = None) -> list[dict[str, object]]:
        """Return the events of a type that wait in the outbox, oldest first."""
        async with self.app.db.reading() as conn:
            rows = await self.app.outbox.pending(conn, 10_000, frozenset())
        found = [row.outgoing for row in rows if row.outgoing.envelope.type == kind]
        for outgoing in found:
            load_verifier(self.keys).verify(outgoing.topic, outgoing.envelope, outgoing.value)
        return [json.loads(one.value) for one in found if town is None or one.envelope.municipality == town]


def envelope_of(event: Event, town: str, source: str) -> Envelope:
    return Envelope(id=str(uuid.uuid4()), source=source, type=event.TYPE, time=START, municipality=town)


def decision(
    incident_id: str,
    verb: Verb,
    *,
    town: str = "villa",
    via: Via = Via.CLI,
    operator: str = "ana",
    decision_id: str = "d-1",
    sign: bool = True,
    **said: object,
) -> CoordinatorDecided:
    event = CoordinatorDecided(
        decision_id=decision_id,
        incident_id=incident_id,
        verb=verb,
        operator_id=operator,
        reason="lo vio la brigada",
        decided_at=START,
        via=via,
        **said,
    )
    if not sign:
        return event
    signature = operator_key(operator).sign(event.signed_bytes(town))
    return event.model_copy(update={"operator_signature": base64.b64encode(signature).decode()})
