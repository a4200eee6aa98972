"""The whole copy of a generated town: a zone per gauge, one page to the coordinator per alarming reading."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import httpx

from bench.door import ROOT, post, said
from bench.ground import Ground
from bench.harness import NotMeasured
from municipio.ports import Ports
from municipio.stack import Stack
from tests.support.towns import WrittenTown, write_town

TOWN: Final = "rio"
ALARM_M: Final = 2.7
QUIET_M: Final = 0.3
WATCH: Final = ((1, 2.5, 2.4),)
"""One level, whose protocol pages the coordinator on duty once and does nothing more."""
ZONE: Final = re.compile(r"Zona (\d+)")
PACE: Final = {"MUNICIPIO_SMS_SEGMENTS_PER_S": "400"}
DONE_WITHIN_S: Final = 240.0
PAGED_WITHIN_S: Final = 60.0
Json = dict[str, Any]  # Any: a JSON document


@dataclass(frozen=True)
class Copy:
    """A running copy of the town."""

    stack: Stack
    town: WrittenTown

    @property
    def door(self) -> str:
        return self.stack.urls["ingest"]

    @property
    def key(self) -> str:
        return self.stack.source_key(self.town.id)

    def pids(self, *names: str) -> list[int]:
        return [pid for name in names or self.stack.processes for pid in self.stack.pids(name)]

    @property
    def services(self) -> list[str]:
        """Every process of ours: neither the broker nor the fake carrier."""
        return [name for name in self.stack.processes if name not in {"kafka", "carrier"}]


@contextmanager
def running(
    ground: Ground, *, gauges: int, postgres: bool = False, name: str = "town", own_broker: bool = True
) -> Iterator[Copy]:
    """Start a copy in a folder of its own and stop it when the block ends."""
    number = ground.kept["copies"] = ground.kept.get("copies", 0) + 1
    folder = ground.folder / f"{name}-{number}"
    town = write_town(folder / "towns", TOWN, zones=gauges, residents_per_zone=1, levels=WATCH)
    stack = Stack(
        folder / "copy",
        ports=Ports.free(),
        municipalities_dir=folder / "towns",
        database_url=ground.new_database() if postgres else None,
        kafka_bootstrap=None if own_broker else ground.kafka.bootstrap,
        town_clock=False,
        carrier_options=["--mps", "1000"],
        environment=PACE,
    )
    with stack:
        stack.ready()
        yield Copy(stack, town)


def probe(door: str, key: str, gauges: Sequence[str], *, every_s: float, seed: int) -> Json:
    """Post one alarming reading a gauge; return when each was sent and answered."""
    command = post("probes", door, key, gauges, value=ALARM_M, every_s=every_s, seed=seed, connections=8)
    done: Json = said(
        subprocess.run(command, capture_output=True, text=True, timeout=DONE_WITHIN_S, check=False, cwd=ROOT)
    )
    sent: Json = done["sent"]
    return sent


@contextmanager
def background(door: str, key: str, gauges: Sequence[str], *, rows: int, every_s: float) -> Iterator[Json]:
    """Post quiet readings meanwhile; the answer holds what was accepted once the block has ended."""
    command = post("background", door, key, gauges, value=QUIET_M, every_s=every_s, rows=rows, connections=8)
    answer: Json = {}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        yield answer
        out, err = process.communicate(timeout=PAGED_WITHIN_S)
    answer |= said(subprocess.CompletedProcess(command, process.returncode, out, err))


def paged_at(ledger_url: str, gauges: Sequence[str]) -> dict[str, float]:
    """Wait until the carrier has accepted a page of each gauge's zone; return when it did, the first of each.

    Raises:
        NotMeasured: One did not come.
    """
    wanted = {gauge.removeprefix("g-"): gauge for gauge in gauges}
    found: dict[str, float] = {}
    until_s, after = time.monotonic() + PAGED_WITHIN_S, 0
    while len(found) < len(wanted):
        page = httpx.get(ledger_url, params={"after": after, "limit": 10_000}, timeout=30).json()
        for entry in page["items"]:
            after = max(after, entry["seq"])
            if entry.get("kind") != "message":
                continue
            zone = ZONE.search(entry["text"])
            if zone is not None and (gauge := wanted.get(zone[1])) is not None:
                found.setdefault(gauge, datetime.fromisoformat(entry["accepted_at"]).timestamp())
        if len(found) < len(wanted):
            if time.monotonic() > until_s:
                raise NotMeasured(f"{len(wanted) - len(found)} of {len(wanted)} pages never came")
            time.sleep(0.25)
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
