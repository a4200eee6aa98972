"""The runtime's tables on both databases; one suite, run twice."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from schemas.envelope import Envelope
from schemas.vocabulary import Lane
from services.runtime.clock import HandClock
from services.runtime.database import Database
from services.runtime.outbox import Outbox, Outgoing
from services.runtime.tables import RuntimeTables, runtime_tables
from tests.support.postgres import PostgresCluster, fresh_database, postgres, postgres_cluster, run_sql

__all__ = ["postgres"]

START = datetime(2024, 5, 2, 16, 15, tzinfo=UTC)
SCHEMA = "runtime_test"


@pytest.fixture
def metadata() -> sa.MetaData:
    return sa.MetaData()


@pytest.fixture
def tables(metadata: sa.MetaData) -> RuntimeTables:
    return runtime_tables(metadata)


@pytest.fixture
def clock() -> HandClock:
    return HandClock(START)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.smoke)])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/town.sqlite"
        return
    cluster: PostgresCluster = request.getfixturevalue("postgres")
    async with fresh_database(cluster) as fresh:
        await run_sql(fresh, f"CREATE SCHEMA {SCHEMA}")
        yield fresh


@pytest.fixture
async def db(url: str, metadata: sa.MetaData, tables: RuntimeTables) -> AsyncIterator[Database]:
    database = Database(url, schema=SCHEMA)
    await database.create_all(metadata)
    yield database
    await database.close()


@pytest.fixture
def outbox(tables: RuntimeTables, clock: HandClock) -> Outbox:
    return Outbox(tables, None, "testing", clock)


def outgoing(
    name: str,
    key: str | None = "incident-1",
    *,
    topic: str = "tasks",
    lane: Lane = Lane.INCIDENTS,
    partition: int | None = None,
) -> Outgoing:
    """Return a record whose id and value are ``name``."""
    envelope = Envelope(name, "testing", "task.updated", START, "ejemplo")
    return Outgoing(topic, key, envelope, name.encode(), lane, partition)


@pytest.fixture
def postgres_own() -> Iterator[PostgresCluster]:
    """A server that a test may stop and kill."""
    with postgres_cluster() as cluster:
        if cluster.outside:
            pytest.skip("the server from outside is not ours to stop")
        yield cluster


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
