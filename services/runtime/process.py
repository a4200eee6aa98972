"""How a process starts, is told to end, and dies."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
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
BLOCKED_S = 15.0
BEAT_S = 1.0
_STDERR = 2

Main = Callable[[asyncio.Event], Coroutine[Any, Any, None]]


def run(main: Main) -> NoReturn:
    """Run ``main(stop)`` on uvloop and exit; SIGTERM and SIGINT set ``stop``.

    A loop that is blocked for 15 s ends the process, with every thread's stack on stderr.

    Exit status: 0 ended as told · 1 another process is running, or blocked · 2 wrong setting · 70 our fault.
    """
    gc.freeze()  # What was imported stays: no collection need walk through a hundred megabytes of it.
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
    watched = asyncio.create_task(_beat())
    try:
        await main(stop)
    finally:
        watched.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watched


async def _beat() -> None:
    """Put off the end of the process for as long as the loop turns.

    The watch is a thread of C, so that code which never lets go of the interpreter is ended, too.
    """
    try:
        while True:
            faulthandler.dump_traceback_later(BLOCKED_S, exit=True, file=_STDERR)
            await asyncio.sleep(BEAT_S)
    finally:
        faulthandler.cancel_dump_traceback_later()


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
