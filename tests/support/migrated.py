"""Empty databases as the migrations leave them: migrated once in this process, then copied."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from services.runtime.database import Database
from services.runtime.migrations import upgrade
from tests.support.postgres import PostgresCluster, create_database, database_url, fresh_database, run_sql


def migrated(url: str, service: str) -> str:
    """Return the address; a SQLite file that is not there yet is laid, with nothing left to migrate."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite" and address.database:
        file = Path(address.database)
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(_file(service))
    return url


@asynccontextmanager
async def migrated_database(cluster: PostgresCluster, service: str) -> AsyncIterator[str]:
    """Give the URL of a database with the service's schema, nothing left to migrate; dropped at the end."""
    if service not in cluster.templates:
        cluster.templates[service] = await _template(cluster, service)
    async with fresh_database(cluster, cluster.templates[service]) as url:
        yield url


@cache
def _file(service: str) -> bytes:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as conn:
        upgrade(conn, service)
    with engine.connect() as conn:
        memory = conn.connection.dbapi_connection
        assert isinstance(memory, sqlite3.Connection)
        laid = memory.serialize()
    engine.dispose()
    return laid


async def _template(cluster: PostgresCluster, service: str) -> str:
    name = await create_database(cluster)
    url = database_url(cluster, name)
    await run_sql(url, f"CREATE SCHEMA {service}")
    db = Database(url, schema=service)
    await db.migrate(service)
    await db.close()
    return name
