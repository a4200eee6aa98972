"""``python -m tests.chaos --faults R1``: play faults, print the document of DOORS §4, 0 iff all pass."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from municipio.paths import VAR
from tests.chaos.campaign import Json, Order, say
from tests.support.postgres import PostgresCluster, postgres_cluster

DATABASES = ("sqlite", "postgresql")
INTERRUPTED = 130
# Each fault is tests/chaos/<id in small letters>.py; at SCALE=ci it is played on these databases.
FAULTS = {
    "R1": ("sqlite",),
    "R2": ("postgresql",),
    "R3": ("sqlite",),
    "R4": ("sqlite",),
    "R4b": ("sqlite",),
    "R5": ("postgresql",),
    "R6": ("postgresql",),
    "R8": ("sqlite",),
    "R10": ("sqlite",),
    "R11": ("sqlite",),
    "R13": ("sqlite",),
    "R14": ("postgresql",),
    "R15": ("sqlite",),
    "R16": ("postgresql",),
    "R17": ("sqlite",),
    "R18": ("sqlite",),
    "R23": ("postgresql",),
}

# What is no fault of the other database, at any scale.
ONLY = {"R6": ("postgresql",), "R14": ("postgresql",), "R15": ("sqlite",), "R17": ("sqlite",)}

# Played only when asked for: it passes when something was lost.
CONTROL = {"control": ("sqlite",)}


def main() -> int:
    asked = _parser().parse_args()
    faults = asked.faults.split(",")
    unknown = set(faults) - FAULTS.keys() - CONTROL.keys()
    if unknown:
        print(f"not a fault of this release: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    # Told to end, it cleans up as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    runs = [(fault, name) for fault in faults for name in _databases(fault, asked.databases, asked.scale)]
    items = []
    for number, (fault, database) in enumerate(runs, start=1):
        say(f"{number}/{len(runs)} {fault} on {database}")
        try:
            items.append(_played(fault, database, asked))
        except KeyboardInterrupt:
            say(f"   interrupted: {fault} and all that it started were stopped and removed")
            return INTERRUPTED
    passed = all(item["pass"] for item in items)
    print(json.dumps({"schema": "municipio/chaos/1", "items": items, "pass": passed}), flush=True)
    return 0 if passed else 1


def _played(fault: str, database: str, asked: argparse.Namespace) -> Json:
    """Play one fault on one database; one that cannot be judged has failed, and the next goes on."""
    folder = asked.folder / f"{fault}-{database}"
    began_s = time.monotonic()
    try:
        with _server(database) as cluster:
            item = _run(fault, Order(database, cluster, folder, asked.seed, asked.scale))
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    except Exception as err:
        traceback.print_exc()
        item = {"id": fault, "database": database, "error": f"{type(err).__name__}: {err}", "pass": False}
    item["took_s"] = round(time.monotonic() - began_s, 1)
    if item["pass"] and not asked.keep:
        shutil.rmtree(folder, ignore_errors=True)
    said = "passed" if item["pass"] else f"FAILED, see {folder}"
    say(f"   {said} after {item['took_s']:.0f} s")
    return item


def _databases(fault: str, asked: str | None, scale: str) -> tuple[str, ...]:
    if asked:
        return tuple(asked.split(","))
    if fault in CONTROL:
        return CONTROL[fault]
    return FAULTS[fault] if scale == "ci" else ONLY.get(fault, DATABASES)


def _run(fault: str, order: Order) -> Json:
    return cast(Json, importlib.import_module(f"tests.chaos.{fault.lower()}").run(order))


@contextlib.contextmanager
def _server(database: str) -> Iterator[PostgresCluster | None]:
    if database == "sqlite":
        yield None
        return
    with postgres_cluster() as cluster:
        yield cluster


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--faults", default=",".join(FAULTS), help=f"comma-separated: {', '.join(FAULTS)}")
    parser.add_argument("--scale", choices=("ci", "night"), default="ci", help="how much of it")
    parser.add_argument("--databases", help="comma-separated; default: those of the scale")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED", "1")))
    parser.add_argument("--folder", type=Path, default=VAR / "chaos", help="where the runs lie")
    parser.add_argument("--keep", action="store_true", help="leave the folder of a run that passed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
