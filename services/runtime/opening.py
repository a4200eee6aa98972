"""What the process of every service does before and around its own work."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

import structlog
from starlette.types import ASGIApp

from schemas.municipality import FolderErrors
from services.runtime.database import Database
from services.runtime.errors import Retriable, WrongSetting
from services.runtime.http import serve
from services.runtime.lockfile import SingleProcess
from services.runtime.settings import RuntimeSettings
from services.runtime.slot import slot_held

log = structlog.get_logger()

DATABASE_AGAIN_S: Final = 1.0


@contextlib.asynccontextmanager
async def own_database(
    settings: RuntimeSettings, service: str, *, alone: bool = True
) -> AsyncIterator[Database]:
    """Open a service's database; ``alone``: as the one live process of its slot.

    Raises:
        AlreadyRunning: Another process has the file, or the slot.
    """
    db = Database(settings.database_url_of(service), schema=service)
    async with contextlib.AsyncExitStack() as held:
        if db.dialect == "sqlite" and alone:
            held.enter_context(SingleProcess(Path(db.url.database or service)))
        held.push_async_callback(db.close)
        if alone:
            await held.enter_async_context(slot_held(db, service, settings.slot))
        yield db


@contextlib.contextmanager
def folders_read() -> Iterator[None]:
    """Turn what is wrong with a municipality's folder into a wrong setting, which ends the process."""
    try:
        yield
    except FolderErrors as err:
        raise WrongSetting(f"MUNICIPIO_MUNICIPALITIES_DIR: {err.errors[0]}") from None


async def started(start: Callable[[], Awaitable[None]], service: str) -> None:
    """Start however long the database takes to come."""
    while True:
        try:
            await start()
        except Retriable as err:
            log.warning(f"{service}.database_away", reason=str(err))
            await asyncio.sleep(DATABASE_AGAIN_S)
        else:
            return


async def served(http: ASGIApp, address: tuple[str, int], stop: asyncio.Event) -> None:
    """Serve until told to stop, then let requests in work end; a door that cannot open ends the process."""
    try:
        await serve(http, *address, stop)
    finally:
        stop.set()
