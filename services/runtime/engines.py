"""How we connect: what each database must be told before it keeps its promises."""

from __future__ import annotations

import contextlib
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from services.runtime.direct_sqlite import connect

BUSY_TIMEOUT_MS = 10_000
CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_S = 30
# The server misses a process whose machine vanished after half a minute, and lets go of its locks; by
# default it would wait two hours.
KEEPALIVES = {"tcp_keepalives_idle": "15", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
POOL = 8
READERS = 4


def with_driver(url: URL) -> URL:
    """Return the URL with the asynchronous driver we ship.

    Raises:
        ValueError: Neither SQLite nor PostgreSQL.
    """
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
    backend = "postgresql" if url.get_backend_name() == "postgres" else url.get_backend_name()
    if backend not in drivers:
        raise ValueError(f"database {backend!r} is not known here: sqlite or postgresql")
    return url.set(drivername=drivers[backend])


def postgresql_engine(url: URL, schema: str | None) -> AsyncEngine:
    """Return an engine whose every statement stays inside the service's schema."""
    server_settings = {
        "search_path": schema or "public",
        "application_name": f"municipio {schema or ''}".strip(),
        **KEEPALIVES,
    }
    return create_async_engine(
        url,
        pool_size=POOL,
        max_overflow=POOL,
        pool_timeout=CONNECT_TIMEOUT_S,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",
        hide_parameters=True,  # A failed statement must not print texts or names.
        connect_args={
            "timeout": CONNECT_TIMEOUT_S,
            "command_timeout": STATEMENT_TIMEOUT_S,
            "server_settings": server_settings,
        },
    )


def sqlite_engine(url: URL, *, writes: bool) -> AsyncEngine:
    """Return the engine of the one writer, or of the readers beside it.

    ``synchronous=FULL``: what was committed is on the disk, also in WAL mode. The driver opens no
    transaction by itself, so ``BEGIN IMMEDIATE`` is ours to say.
    """
    options: dict[str, Any] = {"timeout": BUSY_TIMEOUT_MS / 1000, "isolation_level": None}
    if writes:  # A reader may be asked for a hundred thousand rows, and nobody waits for its turn.
        options["async_creator_fn"] = connect
    engine = create_async_engine(
        url,
        pool_size=1 if writes else READERS,
        max_overflow=0,
        pool_timeout=STATEMENT_TIMEOUT_S,
        connect_args=options,
        poolclass=sa.pool.AsyncAdaptedQueuePool,
        hide_parameters=True,
    )
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"

    def prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in _pragmas(writes):
            cursor.execute(pragma)
        cursor.close()

    def let_go(connection: Any, _record: Any, _error: Any) -> None:
        # A task cancelled inside a transaction: closing alone keeps the lock as long as a statement lives.
        with contextlib.suppress(Exception):
            connection.rollback()

    sa.event.listen(engine.sync_engine, "connect", prepare)
    sa.event.listen(engine.sync_engine, "invalidate", let_go)
    sa.event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _pragmas(writes: bool) -> tuple[str, ...]:
    both = (f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}", "PRAGMA foreign_keys=ON", "PRAGMA temp_store=MEMORY")
    if writes:
        return ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", *both)
    return (*both, "PRAGMA query_only=ON")
