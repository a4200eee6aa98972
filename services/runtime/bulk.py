"""Insert and update many rows at the speed of the driver: no dictionary and no conversion per value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

Row = tuple[Any, ...]  # Any: what the driver takes


async def insert_rows(
    conn: AsyncConnection, table: sa.Table, columns: tuple[str, ...], rows: Sequence[Row]
) -> None:
    """Insert rows whose values stand in the order of ``columns``; moments as ``moment_of`` returns them."""
    if rows:
        await conn.exec_driver_sql(_statement(table, columns, conn.dialect), list(rows))


async def put_rows(
    conn: AsyncConnection,
    table: sa.Table,
    columns: tuple[str, ...],
    key: tuple[str, ...],
    rows: Sequence[Row],
) -> None:
    """Insert rows, or give those whose ``key`` stands there already the other columns' values."""
    if rows:
        await conn.exec_driver_sql(_upsert(table, columns, key, conn.dialect), list(rows))


async def update_rows(
    conn: AsyncConnection,
    table: sa.Table,
    columns: tuple[str, ...],
    key: tuple[str, ...],
    rows: Sequence[Row],
) -> None:
    """Update rows: new values in the order of ``columns``, then those of ``key``, by which a row is found."""
    if rows:
        await conn.exec_driver_sql(_change(table, columns, key, conn.dialect), list(rows))


def moment_of(conn: AsyncConnection) -> Callable[[datetime], datetime | str]:
    """Return how a UTC moment is handed to this database's driver."""
    return _as_it_is if conn.dialect.name == "postgresql" else _as_text


@lru_cache(maxsize=64)
def _statement(table: sa.Table, columns: tuple[str, ...], dialect: sa.Dialect) -> str:
    compiled = sa.insert(table).inline().compile(dialect=dialect, column_keys=list(columns))
    if list(compiled.positiontup or ()) != list(columns):
        raise ValueError(f"{table.name}: name the columns in the table's own order")
    return str(compiled)


@lru_cache(maxsize=64)
def _upsert(table: sa.Table, columns: tuple[str, ...], key: tuple[str, ...], dialect: sa.Dialect) -> str:
    names = ", ".join(key)
    new = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key)
    return f"{_statement(table, columns, dialect)} ON CONFLICT ({names}) DO UPDATE SET {new}"


@lru_cache(maxsize=64)
def _change(table: sa.Table, columns: tuple[str, ...], key: tuple[str, ...], dialect: sa.Dialect) -> str:
    found = [table.c[name] == sa.bindparam(f"of_{name}") for name in key]
    values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in columns}
    compiled = sa.update(table).where(*found).values(values).compile(dialect=dialect)
    expected = [*(f"new_{name}" for name in columns), *(f"of_{name}" for name in key)]
    if list(compiled.positiontup or ()) != expected:
        raise ValueError(f"{table.name}: name the columns in the table's own order")
    return str(compiled)


def _as_it_is(moment: datetime) -> datetime:
    return moment


@lru_cache(maxsize=4096)
def _as_text(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")
