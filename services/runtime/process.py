"""How a process starts, is told to end, and dies."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn

import structlog
import uvloop

from services.runtime.errors import AlreadyRunning, WrongSetting

log = structlog.get_logger()

EXIT_WRONG_USE = 2
EXIT_OUR_FAULT = 70

Main = Callable[[asyncio.Event], Coroutine[Any, Any, None]]


def run(main: Main) -> NoReturn:
    """Run ``main(stop)`` on uvloop and exit; SIGTERM and SIGINT set ``stop``.

    Exit status: 0 ended as told · 1 another process is running · 2 wrong setting · 70 our fault.
    """
    try:
        uvloop.run(_until_told(main))
    except (WrongSetting, AlreadyRunning) as err:
        sys.stderr.write(f"{err}\n")
        sys.exit(EXIT_WRONG_USE if isinstance(err, WrongSetting) else 1)
    except Exception as err:
        log.exception("process.failed", error=type(err).__name__)
        sys.exit(EXIT_OUR_FAULT)
    sys.exit(0)


async def _until_told(main: Main) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    await main(stop)


async def together(stop: asyncio.Event, *parts: Awaitable[None]) -> None:
    """Run endless parts until ``stop``; one that fails or ends ends all.

    Raises:
        Exception: The first failure of a part.
    """
    tasks = [asyncio.ensure_future(part) for part in parts]
    told = asyncio.ensure_future(stop.wait())
    try:
        done, _ = await asyncio.wait([told, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for each in done - {told}:
            each.result()
    finally:
        stop.set()
        for task in (told, *tasks):
            task.cancel()
        await asyncio.gather(told, *tasks, return_exceptions=True)


def crash(reason: str) -> NoReturn:
    """End the process as ``kill -9`` would: a broken invariant must not write another byte."""
    log.critical("process.crashed", reason=reason)
    logging.shutdown()
    os._exit(EXIT_OUR_FAULT)
