"""Say on a terminal how far a command is, once it has taken longer than a person waits gladly."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

AFTER_S: Final = 2.0
EVERY_S: Final = 0.1

Say = Callable[[str], None]


@contextlib.contextmanager
def late_progress(unit: str) -> Iterator[Say]:
    """Yield what shows a line on stderr from two seconds on; nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    console = Console(stderr=True)
    began_s = last_s = time.monotonic()
    with contextlib.ExitStack() as stack:
        status = console.status("…")
        is_shown = False

        def say(text: str) -> None:
            nonlocal is_shown, last_s
            now_s = time.monotonic()
            if now_s - began_s < AFTER_S or now_s - last_s < EVERY_S:
                return
            last_s = now_s
            status.update(f"{text} {unit}  {now_s - began_s:.0f} s")
            if not is_shown:
                is_shown = True
                stack.enter_context(status)

        yield say
