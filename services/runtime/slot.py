"""A replica's number, held by one live process at a time on PostgreSQL; on SQLite a file lock does it.

Two processes with one number would share one membership of Kafka's groups: the broker fences them in turn
and both handle every record until one dies (RELIABILITY §1.7).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Final

import structlog

from services.runtime import process
from services.runtime.database import Database
from services.runtime.engines import KEEPALIVES
from services.runtime.errors import AlreadyRunning

if TYPE_CHECKING:
    import asyncpg

log = structlog.get_logger()

TAKE_WITHIN_S: Final = 10.0
"""A process that was killed is missed by the server at once, one whose machine vanished only later."""

TRY_EVERY_S: Final = 0.2
LOOK_EVERY_S: Final = 2.0


@contextlib.asynccontextmanager
async def slot_held(
    db: Database,
    service: str,
    slot: int,
    *,
    within_s: float = TAKE_WITHIN_S,
    crash: Callable[[str], Any] = process.crash,
) -> AsyncIterator[None]:
    """Hold the number as long as the body runs; a database that is away is waited for.

    Raises:
        AlreadyRunning: Another process of this service has it.
    """
    if db.dialect == "sqlite":
        yield
        return
    held = _Slot(db, service, slot)
    await held.take(within_s)
    keeping = asyncio.create_task(held.keep(within_s, crash))
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        held.let_go()


class _Slot:
    """An advisory lock on a connection of its own: the server lets go when the process dies."""

    def __init__(self, db: Database, service: str, slot: int) -> None:
        self._dsn = db.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._service = service
        self._slot = slot
        self._connection: asyncpg.Connection | None = None
        self._is_away = False

    async def take(self, within_s: float) -> None:
        refused_since: float | None = None
        while not await self._try():
            if self._connection is None:
                refused_since = None  # The database is away, and with it every other holder.
            elif refused_since is None:
                refused_since = time.monotonic()
            elif time.monotonic() - refused_since > within_s:
                raise AlreadyRunning(
                    f"another process already is {self._service} number {self._slot}: stop it, or give this "
                    "one another MUNICIPIO_SLOT"
                )
            await asyncio.sleep(TRY_EVERY_S)

    async def keep(self, within_s: float, crash: Callable[[str], Any]) -> None:
        """Take the lock again whenever its connection was lost, for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if await self._is_connected():
                continue
            self.let_go()
            try:
                await self.take(within_s)
            except AlreadyRunning as err:
                crash(str(err))

    def let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _is_connected(self) -> bool:
        if self._connection is None:
            return False
        try:
            await self._connection.execute("SELECT 1", timeout=5)
        except Exception as err:  # Whatever it is: the lock may be gone, and nobody else looks.
            log.warning("slot.connection_lost", error=type(err).__name__)
            return False
        return True

    async def _try(self) -> bool:
        try:
            if self._connection is None:
                import asyncpg  # Two megabytes, which a process on SQLite does without.

                self._connection = await asyncpg.connect(self._dsn, timeout=5, server_settings=KEEPALIVES)
            lock = "SELECT pg_try_advisory_lock(hashtext($1), $2)"
            taken: bool = await self._connection.fetchval(
                lock, f"municipio {self._service}", self._slot, timeout=5
            )
        except Exception as err:  # The driver has errors of its own beside the server's.
            if not self._is_away:
                log.warning("slot.database_away", error=type(err).__name__)
            self._is_away = True
            self.let_go()
            return False
        self._is_away = False
        return taken
