"""One point of a curve: what triage pays for so many readings of so many sensors in so many towns.

The records are handed over as the broker would, without one: decode, fold, decide, one transaction a batch on
SQLite with ``synchronous=FULL``, what goes out signed and left in the outbox.
"""

from __future__ import annotations

import argparse
import json
import logging
import pickle
import resource
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from multiprocessing import Process
from pathlib import Path
from typing import Final

import structlog
import uvloop

from bench.load import Load, make_load, packed_rows
from schemas.municipality import load_all
from schemas.topics import READINGS
from services.runtime.clock import SystemClock
from services.runtime.database import Database
from services.runtime.records import Record
from services.runtime.signing import generate_keys
from services.triage.app import App
from services.triage.settings import TriageSettings

RECORDS_A_BATCH: Final = 198
"""As many full records as one poll brings of six partitions that wait."""
GAUGES_A_ZONE: Final = 10
PARTITIONS: Final = [(READINGS.name, partition) for partition in range(READINGS.partitions)]


def write_records(loads: Sequence[Load], path: Path) -> None:
    """Write the records as they would be polled; in a process of its own, whose memory is nobody's cost."""
    offsets = {partition: count() for _, partition in PARTITIONS}
    with path.open("wb") as file:
        for row in packed_rows(loads):
            record = Record(
                row.topic, row.partition, next(offsets[row.partition]), None, row.value, tuple(row.headers)
            )
            pickle.dump(record, file)


def polled(path: Path) -> Iterator[list[Record]]:
    with path.open("rb") as file:
        batch: list[Record] = []
        with suppress(EOFError):
            while True:
                batch.append(pickle.load(file))  # noqa: S301 - we wrote it
                if len(batch) == RECORDS_A_BATCH:
                    yield batch
                    batch = []
        if batch:
            yield batch


async def cost(folder: Path, readings: int) -> dict[str, float]:
    """Fold all records; return CPU seconds and the peak of memory."""
    generate_keys(folder / "keys", ["ingest", "triage", "notify"])
    settings = TriageSettings(
        environment="development",
        data_dir=folder,
        keys_dir=folder / "keys",
        admin_token=secrets.token_hex(),
    )
    db = Database(f"sqlite:///{folder / 'triage.sqlite'}", schema="triage")
    towns = load_all(folder / "towns", keys_dir=folder / "keys", environment="development")
    app = App(settings, db=db, clock=SystemClock(), municipalities=towns)
    await app.start()
    await app.ownership.take(PARTITIONS)
    took_s = 0.0
    for batch in polled(folder / "records"):
        began_s = time.process_time()
        await app.handle(batch)
        took_s += time.process_time() - began_s
    folded = sum(state.count for _, states in app.cache.all() for state in states.values())
    if folded != readings:
        raise RuntimeError(f"{folded} of {readings} readings were folded")
    await db.close()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"readings": folded, "cpu_s": took_s, "peak_rss_mb": peak_mb}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("readings", "sensors", "towns"):
        parser.add_argument(f"--{name}", type=int, required=True)
    told = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(dir="var/bench") as name:
        folder, sensors = Path(name).resolve(), told.sensors // told.towns
        loads = [
            make_load(
                folder / "towns",
                f"rio-{number}",
                sensors=sensors,
                each=told.readings // told.sensors,
                gauges_a_zone=GAUGES_A_ZONE,
                seed=number,
            )
            for number in range(told.towns)
        ]
        writing = Process(target=write_records, args=(loads, folder / "records"))
        writing.start()
        writing.join()
        readings = sum(load.count for load in loads)
        del loads
        sys.stdout.write(json.dumps(uvloop.run(cost(folder, readings))) + "\n")


if __name__ == "__main__":
    main()
