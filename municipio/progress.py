"""Say on a terminal how far a command is, once it has taken longer than a person waits gladly."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress

AFTER_S: Final = 2.0
EVERY_S: Final = 0.1


class Say(Protocol):
    """Shows how far a command is; ``share`` is what is done of all, where that is known."""

    def __call__(self, text: str, share: float | None = None) -> None: ...


@contextlib.contextmanager
def late_progress(unit: str) -> Iterator[Say]:
    """Yield what shows a line on stderr from two seconds on; nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield _say_nothing
        return
    with contextlib.ExitStack() as stack:
        yield _Line(unit, stack)


class _Line:
    """A bar where the share is known, then what the command says of itself and for how long it has run."""

    def __init__(self, unit: str, stack: contextlib.ExitStack) -> None:
        self._unit, self._stack = unit, stack
        self._began_s = self._last_s = time.monotonic()
        self._bar: Progress | None = None

    def __call__(self, text: str, share: float | None = None) -> None:
        now_s = time.monotonic()
        if now_s - self._began_s < AFTER_S or now_s - self._last_s < EVERY_S:
            return
        self._last_s = now_s
        if self._bar is None:
            self._bar = self._stack.enter_context(_bar(has_share=share is not None))
            self._bar.add_task("", total=1.0)
        line = f"{text} {self._unit}  {now_s - self._began_s:.0f} s"
        self._bar.update(self._bar.task_ids[0], completed=share or 0.0, description=line)


def _bar(*, has_share: bool) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn

    told = (BarColumn(bar_width=24), TaskProgressColumn()) if has_share else (SpinnerColumn(),)
    line = TextColumn("{task.description}", markup=False)
    return Progress(*told, line, console=Console(stderr=True), transient=True)


def _say_nothing(text: str, share: float | None = None) -> None:
    """Say nothing to nobody."""
