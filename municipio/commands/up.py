"""``municipio up``: start everything, say where it is, and stop all of it on Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from municipio.context import data_dir
from municipio.errors import DependencyDown, Refused
from municipio.paths import MUNICIPALITIES
from municipio.ports import DEFAULT_BASE

if TYPE_CHECKING:
    from municipio.stack import Stack

_STOPPED = 0
_INTERRUPTED = 130


class _Asked(BaseException):
    """Somebody asked us to stop."""


def up(
    demo: Annotated[bool, typer.Option("--demo", help="Play the example town's rising river once.")] = False,
    scripted: Annotated[
        bool, typer.Option("--scripted", help="With --demo: the phones answer by themselves, nobody drives.")
    ] = False,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Folder of this copy.")] = None,
    base_port: Annotated[
        int,
        typer.Option("--base-port", min=1024, max=60000, help="ingest +1, triage +2, door +3, notify +4 …"),
    ] = DEFAULT_BASE,
    municipalities: Annotated[
        Path | None, typer.Option("--municipalities", metavar="DIR", help="Folder with one folder per town.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object once ready.")] = False,
) -> int:
    """Start broker, services and fake carrier; Ctrl-C stops all of it.

    MUNICIPIO_KAFKA_BOOTSTRAP names a cluster to use instead of our own broker, MUNICIPIO_DATABASE_URL a
    PostgreSQL server instead of SQLite files; in production there is neither fake carrier nor town clock.
    """
    from municipio.ports import Ports
    from municipio.stack import Stack

    production = os.environ.get("MUNICIPIO_ENVIRONMENT") == "production"
    stack = Stack(
        data_dir(data),
        ports=Ports.from_base(base_port),
        municipalities_dir=municipalities
        or Path(os.environ.get("MUNICIPIO_MUNICIPALITIES_DIR", MUNICIPALITIES)),
        database_url=os.environ.get("MUNICIPIO_DATABASE_URL") or None,
        kafka_bootstrap=os.environ.get("MUNICIPIO_KAFKA_BOOTSTRAP") or None,
        town_clock=not production,
        carrier=not production,
    )
    signal.signal(signal.SIGTERM, _asked)
    try:
        return _run(stack, demo=demo, scripted=scripted, as_json=as_json)
    except _Asked:
        return _STOPPED
    except KeyboardInterrupt:
        return _INTERRUPTED
    finally:
        _stop(stack)


def _run(stack: Stack, *, demo: bool, scripted: bool, as_json: bool) -> int:
    began = time.monotonic()
    with _waiting():
        stack.start()
        stack.ready()
    _say_ready(stack, time.monotonic() - began, as_json=as_json)
    if demo:
        _play(stack, scripted=scripted)
    _keep_going(stack)
    raise DependencyDown(f"The process manager ended; see {stack.copy.data / 'supervisor'}.")


def _keep_going(stack: Stack) -> None:
    """Return when the process manager has ended; until then end what stands still: it starts again."""
    from municipio.watching import LOOK_EVERY_S, Watch

    client = stack.client()
    names = [name for name in stack.urls if name != "carrier"]
    watch = Watch(stack, names, lambda name: client.answers(name, "/healthz"))
    look_at_s = time.monotonic()
    while stack.is_running():
        time.sleep(0.5)
        if time.monotonic() < look_at_s:
            continue
        with suppress(OSError, DependencyDown):  # The manager has just ended, or is about to.
            for name in watch.look():
                print(f"{name} stood still; it was ended and starts again.", file=sys.stderr, flush=True)
        look_at_s = time.monotonic() + LOOK_EVERY_S


def _play(stack: Stack, *, scripted: bool) -> None:
    from municipio.demo import play

    try:
        play(stack, scripted=scripted)
    except Refused as err:  # Time does not go back: this folder's town has lived through that night.
        print(f"The river was not played again: {err}")


def _waiting() -> AbstractContextManager[object]:
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status("Starting broker, services and carrier …")


def _say_ready(stack: Stack, took_s: float, *, as_json: bool) -> None:
    for line in stack.topic_differences:
        print(f"topic differs: {line}", file=sys.stderr)
    where = {**stack.urls, "kafka": stack.bootstrap}
    if as_json:
        from municipio.output import print_json

        print_json("up", {"ready_s": round(took_s, 2), "urls": where, "data": str(stack.copy.data)})
    else:
        if "carrier" in stack.urls:
            print(f"{stack.urls['carrier']}/phones")
        print(f"Ready in {took_s:.1f} s. Data in {stack.copy.data}; Ctrl-C stops everything.")
        for name, url in where.items():
            print(f"  {name:<8} {url}")
    sys.stdout.flush()


def _asked(_number: int, _frame: FrameType | None) -> None:
    raise _Asked


def _stop(stack: Stack) -> None:
    """Stop everything; further impatience neither helps nor leaves anything behind."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    stack.stop()
