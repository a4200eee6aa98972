"""``python -m tests.chaos --faults R1``: play faults, print the document of DOORS §4, 0 iff all pass."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator

from municipio.paths import VAR
from tests.chaos import r1
from tests.support.postgres import postgres_cluster

FAULTS = {"R1": r1.run}
DATABASES = ("sqlite", "postgresql")


def main() -> int:
    asked = _parser().parse_args()
    unknown = set(asked.faults.split(",")) - FAULTS.keys()
    if unknown:
        print(f"not a fault of this release: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    items = []
    for fault in asked.faults.split(","):
        for database in asked.databases.split(","):
            folder = VAR / "chaos" / f"{fault}-{database}"
            with _server(database) as url:
                items.append(FAULTS[fault](database, url, folder, asked.seed, asked.scale))
            if items[-1]["pass"] and not asked.keep:
                shutil.rmtree(folder, ignore_errors=True)
            r1.say(f"   {'passed' if items[-1]['pass'] else f'FAILED, see {folder}'}")
    passed = all(item["pass"] for item in items)
    print(json.dumps({"schema": "municipio/chaos/1", "items": items, "pass": passed}), flush=True)
    return 0 if passed else 1


@contextlib.contextmanager
def _server(database: str) -> Iterator[str | None]:
    if database == "sqlite":
        yield None
        return
    with postgres_cluster() as cluster:
        yield cluster.url


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--faults", default="R1", help=f"comma-separated: {', '.join(FAULTS)}")
    parser.add_argument("--scale", choices=("ci", "night"), default="ci", help="how much of it")
    parser.add_argument("--databases", default=",".join(DATABASES))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED", "1")))
    parser.add_argument("--keep", action="store_true", help="leave the folder of a run that passed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
