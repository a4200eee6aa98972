"""Two towns with the same sensor ids, a database, a clock moved by hand and a broker that is a list."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.vocabulary import Property
from services.ingest.domain.normalise import Reading
from services.ingest.domain.sensors import Catalogue, KnownSensor
from services.ingest.flows.acceptance import Acceptance
from services.runtime.clock import HandClock
from services.runtime.database import Database
from services.runtime.outbox import Outgoing
from services.runtime.publishing import PublishFailed
from tests.support.migrated import migrated, migrated_database
from tests.support.postgres import PostgresCluster, postgres

__all__ = ["postgres"]

START = datetime(2026, 5, 2, 12, 0, tzinfo=UTC)


def gauge(sensor_id: str, site: str, network: str = "") -> KnownSensor:
    return KnownSensor(sensor_id, site, Property.RIVER_LEVEL, network, -1, 12, 900)


CATALOGUE = Catalogue.of(
    {
        "alta": [gauge("rio-1", "puente"), gauge("rio-2", "presa"), gauge("red-1", "cerro", "cuenca")],
        "baja": [gauge("rio-1", "puente"), gauge("rio-3", "muelle")],
    }
)


def reading(value: float = 1.0, minute: int = 0, sensor: str = "rio-1") -> Reading:
    return Reading(sensor, Property.RIVER_LEVEL, value, START + timedelta(minutes=minute))


class FakePublisher:
    """Keeps what was published; fails as long as it is told to."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        self.is_down = False
        self.down_partitions: set[int] = set()

    async def send(self, batch: Sequence[Outgoing]) -> list[PublishFailed | None]:
        results = [self._fate(each) for each in batch]
        self.sent += [each for each, result in zip(batch, results, strict=True) if result is None]
        return results

    def _fate(self, each: Outgoing) -> PublishFailed | None:
        if self.is_down or each.partition in self.down_partitions:
            return PublishFailed("away", is_refused=False)
        return None

    async def close(self) -> None:
        pass

    def of_type(self, kind: str) -> list[tuple[Outgoing, dict]]:
        return [(each, json.loads(each.value)) for each in self.sent if each.envelope.type == kind]


@pytest.fixture
def clock() -> HandClock:
    return HandClock(START)


@pytest.fixture
async def sqlite_db(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(migrated(f"sqlite:///{tmp_path / 'ingest.sqlite'}", "ingest"))
    yield database
    await database.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.smoke)])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """Every test of the store runs on both databases."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'ingest.sqlite'}")
        await database.migrate("ingest")
        yield database
        await database.close()
        return
    cluster: PostgresCluster = request.getfixturevalue("postgres")
    async with migrated_database(cluster, "ingest") as url:
        database = Database(url, schema="ingest")
        yield database
        await database.close()


@pytest.fixture
def acceptance() -> Acceptance:
    return Acceptance(CATALOGUE)


@pytest.fixture
def publisher() -> FakePublisher:
    return FakePublisher()
