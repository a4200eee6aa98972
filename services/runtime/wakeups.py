"""LISTEN on PostgreSQL, so that a relay in another process wakes at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from services.runtime.database import Database

RECONNECT_S = 2.0
LOOK_EVERY_S = 5.0


async def listen(db: Database, channel: str, wake: Callable[[], None]) -> None:
    """Call ``wake`` for every notification, for ever; returns at once on SQLite.

    A lost connection is made again; what was missed meanwhile the sweep finds.
    """
    if db.dialect == "sqlite":
        return
    import asyncpg  # Two megabytes, which a process on SQLite does without.

    dsn = db.url.set(drivername="postgresql").render_as_string(hide_password=False)
    while True:
        try:
            await _listen_once(dsn, channel, wake)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await asyncio.sleep(RECONNECT_S)


async def _listen_once(dsn: str, channel: str, wake: Callable[[], None]) -> None:
    import asyncpg

    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        await connection.add_listener(channel, lambda *_: wake())
        wake()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await connection.execute("SELECT 1", timeout=5)
    finally:
        connection.terminate()
