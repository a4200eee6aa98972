"""Which database errors mean "later" and which mean "our bug"."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from sqlalchemy import exc

from services.runtime.errors import DatabaseBusy, DatabaseDown, DatabaseFull, Retriable

_SQLITE_BUSY = ("database is locked", "database table is locked")
_SQLITE_FULL = ("database or disk is full", "disk i/o error")
_SQLITE_DOWN = ("unable to open database file",)
_PG_DOWN_CLASSES = ("08", "57P")  # connection exceptions; shutdown, crash, cannot connect now
_PG_BUSY_CLASSES = ("40", "53300", "55P03", "57014")  # deadlock, too many connections, lock, cancelled
_PG_FULL_CLASSES = ("53100", "53200")  # disk full, out of memory


def as_fault(error: BaseException) -> Retriable | None:
    """Return the retriable fault that an error stands for, ``None`` when retrying cannot help."""
    if isinstance(error, exc.TimeoutError):
        return DatabaseBusy("no connection became free in time")
    if isinstance(error, exc.DBAPIError):
        if error.connection_invalidated:
            return DatabaseDown("the connection was lost")
        return _of_driver(error.orig) if error.orig is not None else None
    return _of_driver(error)


def _of_driver(error: BaseException) -> Retriable | None:
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        return _of_sqlstate(state)
    if isinstance(error, OSError | TimeoutError) or _is_interface_error(error):
        return DatabaseDown(f"the database does not answer ({type(error).__name__})")
    said = str(error).lower()
    if any(words in said for words in _SQLITE_BUSY):
        return DatabaseBusy("SQLite is locked by another writer")
    if any(words in said for words in _SQLITE_FULL):
        return DatabaseFull("no space left for SQLite, or its disk fails")
    if any(words in said for words in _SQLITE_DOWN):
        return DatabaseDown("the SQLite file cannot be opened")
    return None


def _is_interface_error(error: BaseException) -> bool:
    """Say so by its name: a process on SQLite does not load the other driver, two megabytes."""
    kinds = ((each.__module__.partition(".")[0], each.__name__) for each in type(error).__mro__)
    return ("asyncpg", "InterfaceError") in kinds


def _of_sqlstate(state: str) -> Retriable | None:
    if state.startswith(_PG_FULL_CLASSES):
        return DatabaseFull(f"PostgreSQL has no space or memory left ({state})")
    if state.startswith(_PG_BUSY_CLASSES):
        return DatabaseBusy(f"PostgreSQL asks to try again ({state})")
    if state.startswith(_PG_DOWN_CLASSES):
        return DatabaseDown(f"PostgreSQL is away or shutting down ({state})")
    return None


_FROM_SQLITE = (exc.DBAPIError, exc.TimeoutError)


@cache
def _from_postgresql() -> tuple[type[BaseException], ...]:
    import asyncpg

    return (*_FROM_SQLITE, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


@contextmanager
def translated(*, is_remote: bool) -> Iterator[None]:
    """Turn errors that time may heal into ``Retriable``; let every other one pass.

    Only a remote database fails with ``OSError``; elsewhere that is a fault of the handler's own.
    """
    kinds = _from_postgresql() if is_remote else _FROM_SQLITE
    try:
        yield
    except Retriable:
        raise
    except kinds as err:
        fault = as_fault(err)
        if fault is None:
            raise
        raise fault from err
