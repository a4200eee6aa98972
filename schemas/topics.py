"""The topics as one table: who writes, who reads, what may stand on them, how long it is kept."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from schemas.events.base import Event
from schemas.events.decisions import CoordinatorDecided, DecisionRuled
from schemas.events.incidents import IncidentClassified, IncidentClosed
from schemas.events.messages import MessageUpdated
from schemas.events.municipality import MunicipalityActivated
from schemas.events.readings import ClockTicked, ReadingPublished, SensorMeasured
from schemas.events.reports import ReportJudged, ReportReceived
from schemas.events.tasks import TaskAssigned, TaskUpdated
from schemas.events.warnings import (
    AlertAcknowledged,
    AlertDispatched,
    AlertEscalated,
    WarningAuthorised,
    WarningCorrected,
    WarningLifted,
    WarningRenewed,
    WarningRequested,
)

DEAD_SUFFIX: Final = ".dead"
MAX_RECORD_BYTES: Final = 900_000
SHARDS: Final = 64


@dataclass(frozen=True, slots=True)
class EventType:
    """One type on a topic. ``inbound`` types may be posted by outsiders."""

    model: type[Event]
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    inbound: bool = False

    @property
    def name(self) -> str:
        return self.model.TYPE


@dataclass(frozen=True, slots=True)
class Topic:
    """One row.

    Attributes:
        partitions: Never lowered; more of them means a new topic, because keys would move.
        retention: ``None`` keeps records without limit.
        compacted: Only the last record per key is kept, so every record has a key.
        signed: Records carry authority: an unsigned or forged one is dead-lettered, audited and paged.
        ours: Only our services write: a malformed record is our bug and stops that consumer.
    """

    name: str
    key: str
    partitions: int
    retention: timedelta | None
    types: tuple[EventType, ...]
    compacted: bool = False
    signed: bool = False
    ours: bool = True

    @property
    def dead(self) -> str:
        return self.name + DEAD_SUFFIX


READINGS_EXTERNAL: Final = Topic(
    "readings.external",
    key="sensor",
    partitions=6,
    retention=timedelta(days=7),
    types=(EventType(ReadingPublished, (), ("ingest",), inbound=True),),
    ours=False,
)
READINGS: Final = Topic(
    "readings",
    key="municipality",
    partitions=6,
    retention=timedelta(days=7),
    types=(
        EventType(SensorMeasured, ("ingest",), ("triage",)),
        EventType(ClockTicked, ("ingest",), ("triage",)),
    ),
)
REPORTS: Final = Topic(
    "reports",
    key="municipality",
    partitions=3,
    retention=None,
    types=(
        EventType(ReportReceived, ("ingest",), ("triage", "console")),
        EventType(ReportJudged, ("triage",), ("ingest", "console")),
    ),
)
DECISIONS: Final = Topic(
    "decisions",
    key="municipality",
    partitions=3,
    retention=None,
    types=(
        EventType(CoordinatorDecided, ("notify",), ("triage", "notify", "console")),
        EventType(DecisionRuled, ("triage", "notify"), ("notify", "console")),
    ),
    signed=True,
)
INCIDENTS: Final = Topic(
    "incidents",
    key="incident id",
    partitions=6,
    retention=None,
    types=(
        EventType(IncidentClassified, ("triage",), ("ingest", "notify", "console")),
        EventType(IncidentClosed, ("triage",), ("ingest", "notify", "console")),
    ),
    signed=True,
)
WARNINGS: Final = Topic(
    "warnings",
    key="incident id",
    partitions=6,
    retention=None,
    types=(
        EventType(WarningRequested, ("notify",), ("console",)),
        EventType(WarningAuthorised, ("notify",), ("console",)),
        EventType(WarningRenewed, ("notify",), ("console",)),
        EventType(WarningCorrected, ("notify",), ("console",)),
        EventType(WarningLifted, ("notify",), ("console",)),
        EventType(AlertDispatched, ("notify",), ("console",)),
        EventType(AlertAcknowledged, ("notify",), ("console",)),
        EventType(AlertEscalated, ("notify",), ("console",)),
    ),
    signed=True,
)
TASKS: Final = Topic(
    "tasks",
    key="incident id",
    partitions=3,
    retention=None,
    types=(
        EventType(TaskAssigned, ("notify",), ("console",)),
        EventType(TaskUpdated, ("notify",), ("console",)),
    ),
)
MESSAGES: Final = Topic(
    "messages",
    key="incident id",
    partitions=3,
    retention=None,
    types=(EventType(MessageUpdated, ("notify",), ("console",)),),
)
MUNICIPALITY: Final = Topic(
    "municipality",
    key="municipality",
    partitions=1,
    retention=None,
    types=(EventType(MunicipalityActivated, ("triage",), ("console",)),),
    compacted=True,
    signed=True,
)

TOPICS: Final[tuple[Topic, ...]] = (
    READINGS_EXTERNAL,
    READINGS,
    REPORTS,
    DECISIONS,
    INCIDENTS,
    WARNINGS,
    TASKS,
    MESSAGES,
    MUNICIPALITY,
)
BY_NAME: Final = {topic.name: topic for topic in TOPICS}
BY_TYPE: Final = {kind.name: (topic, kind) for topic in TOPICS for kind in topic.types}


def shard_of(municipality: str, site: str) -> int:
    """Return the shard of a sensor's site, 0 to 63, the same on every machine and in every release."""
    return zlib.crc32(f"{municipality}\n{site}".encode()) % SHARDS


def partition_of(municipality: str, site: str, partitions: int = READINGS.partitions) -> int:
    """Return the partition of ``readings`` for a site: contiguous ranges of shards, one range a partition."""
    return shard_of(municipality, site) * partitions // SHARDS
