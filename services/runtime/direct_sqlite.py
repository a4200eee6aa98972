"""A connection to SQLite whose statements run where they are asked for, without a change of thread.

A handler's thirty statements take some microseconds each; handing each to a thread and back, four times a
statement, took longer than all of them, and on a busy machine every hand-over waits for its turn. What may
wait keeps its thread: the writer's lock, the disk at a commit, many rows at once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any

import aiosqlite

_AT_ONCE = frozenset({"execute", "fetchone", "fetchmany", "fetchall", "close"})
_ROWS_AT_ONCE = 64


class DirectConnection(aiosqlite.Connection):
    """Overrides the one method through which the driver hands everything to its thread."""

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._connection is None or not self._running or not _is_quick(fn, args):
            return await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call]  # theirs
        return fn(*args, **kwargs)


def connect(database: str, **options: Any) -> DirectConnection:
    """Return a connection as the driver's own ``connect`` does; await it to open the file."""
    opened = partial(sqlite3.connect, database, **(options | {"check_same_thread": False}))
    connection = DirectConnection(opened, _ROWS_AT_ONCE)
    connection._thread.daemon = True  # As SQLAlchemy makes it for the connections that it opens itself.
    return connection


def _is_quick(fn: Callable[..., Any], args: tuple[Any, ...]) -> bool:
    name, of = fn.__name__, getattr(fn, "__self__", None)
    if not isinstance(of, sqlite3.Cursor):
        return name == "cursor"
    waits_for_the_lock = bool(args) and str(args[0]).startswith("BEGIN")
    return name in _AT_ONCE and not waits_for_the_lock
