"""One service's database: SQLite for one process, PostgreSQL for replicas, the same calls for both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.runtime.database_errors import translated
from services.runtime.engines import postgresql_engine, sqlite_engine, with_driver
from services.runtime.migrations import differences, is_upgraded, upgrade

_AFTER_COMMIT = "municipio_after_commit"

Insert = postgresql.Insert | sqlite.Insert


class Database:
    """Transactions on one service's tables.

    Args:
        url: ``sqlite:///path`` or ``postgresql://user:password@host/name``.
        schema: PostgreSQL schema of the service; ignored on SQLite.
    """

    def __init__(self, url: str, *, schema: str | None = None) -> None:
        self.url = with_driver(make_url(url))
        self.dialect: Literal["sqlite", "postgresql"] = (
            "sqlite" if self.url.get_backend_name() == "sqlite" else "postgresql"
        )
        self.schema = schema if self.dialect == "postgresql" else None
        self._one_writer: AbstractAsyncContextManager[None] = (
            asyncio.Lock() if self.dialect == "sqlite" else _no_lock()
        )
        self._inside: set[asyncio.Task[object] | None] = set()
        self._writing, self._reading = self._engines()

    def _engines(self) -> tuple[AsyncEngine, AsyncEngine]:
        if self.dialect == "postgresql":
            engine = postgresql_engine(self.url, self.schema)
            return engine, engine.execution_options(postgresql_readonly=True)
        if self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        return sqlite_engine(self.url, writes=True), sqlite_engine(self.url, writes=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Open the transaction of one handler: committed at the end, rolled back on any error.

        SQLite runs one at a time (``BEGIN IMMEDIATE``), PostgreSQL at READ COMMITTED. Keep it short and
        do nothing in it but database work. What ``after_commit`` was given runs once it is committed.

        Raises:
            DatabaseDown, DatabaseBusy, DatabaseFull: Retriable; a commit that ended so may have happened.
        """
        callbacks: dict[object, Callable[[], None]] = {}
        with translated(is_remote=self.dialect == "postgresql"), self._not_nested():
            async with self._one_writer, self._writing.connect() as conn:
                conn.info[_AFTER_COMMIT] = callbacks
                async with conn.begin():
                    yield conn
                del conn.info[_AFTER_COMMIT]
        for callback in callbacks.values():
            callback()

    @asynccontextmanager
    async def savepoint(self, conn: AsyncConnection) -> AsyncIterator[None]:
        """Undo on an error only what was written inside; the transaction goes on.

        Raises:
            DatabaseDown, DatabaseBusy, DatabaseFull: Retriable; the whole transaction is to be given up.
        """
        with translated(is_remote=self.dialect == "postgresql"):
            async with conn.begin_nested():
                yield

    @contextmanager
    def _not_nested(self) -> Iterator[None]:
        task = asyncio.current_task()
        if task in self._inside:
            raise RuntimeError("a transaction inside a transaction waits for itself: hand the connection on")
        self._inside.add(task)
        try:
            yield
        finally:
            self._inside.discard(task)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Open a read-only view; writing through it is refused by the database.

        Raises:
            DatabaseDown, DatabaseBusy: Retriable.
        """
        with translated(is_remote=self.dialect == "postgresql"):
            async with self._reading.connect() as conn, conn.begin():
                yield conn

    async def migrate(self, service: str) -> None:
        """Bring the tables to the newest of ``services/<service>/migrations/versions``.

        Replicas that start together wait for one another.
        """
        async with self.transaction() as conn:
            if self.dialect == "postgresql":
                await conn.execute(
                    sa.text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": service}
                )
            await conn.run_sync(upgrade, service)

    async def is_migrated(self, service: str) -> bool:
        """Say whether somebody has brought the tables up to date."""
        async with self.reading() as conn:
            return await conn.run_sync(is_upgraded, service)

    async def drift(self, metadata: sa.MetaData) -> list[object]:
        """Return how the migrated tables differ from ``metadata``; empty when they agree."""
        async with self.reading() as conn:
            return await conn.run_sync(differences, metadata)

    async def create_all(self, metadata: sa.MetaData) -> None:
        """Create the tables of ``metadata`` without migrations; for tests."""
        async with self.transaction() as conn:
            await conn.run_sync(metadata.create_all)

    def insert(self, table: sa.Table) -> Insert:
        """Return this database's own INSERT, which knows ``on_conflict_do_nothing`` and ``..._do_update``."""
        return postgresql.insert(table) if self.dialect == "postgresql" else sqlite.insert(table)

    async def clock(self) -> datetime | None:
        """Return the database's own time; ``None`` on SQLite, which has no clock of its own."""
        if self.dialect == "sqlite":
            return None
        async with self.reading() as conn:
            said: datetime = (await conn.execute(sa.text("SELECT clock_timestamp()"))).scalar_one()
            return said.astimezone(UTC)

    async def close(self) -> None:
        await self._writing.dispose()
        if self.dialect == "sqlite":
            await self._reading.dispose()


def insert_into(conn: AsyncConnection, table: sa.Table) -> Insert:
    """Return the INSERT of the database that ``conn`` speaks to."""
    return postgresql.insert(table) if conn.dialect.name == "postgresql" else sqlite.insert(table)


def after_commit(conn: AsyncConnection, key: object, callback: Callable[[], None]) -> bool:
    """Run ``callback`` once this transaction is committed; say whether ``key`` was not yet asked for."""
    callbacks: dict[object, Callable[[], None]] = conn.info[_AFTER_COMMIT]
    if key in callbacks:
        return False
    callbacks[key] = callback
    return True


def _no_lock() -> AbstractAsyncContextManager[None]:
    return nullcontext()
