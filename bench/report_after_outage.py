"""How long a report made while Kafka is away waits once it is back, with a million readings before it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Final

import httpx

from bench.cost import watch
from bench.door import flooded
from bench.ground import Ground
from bench.harness import Benchmark, Measured, NotMeasured
from bench.whole_town import Copy, running
from municipio.broker import is_open

READINGS: Final = 1_000_000
ROWS: Final = 1000
GAUGES: Final = 200
WITHIN_S: Final = 120.0
WORDS: Final = "Hay personas atrapadas en una casa, el agua sube"


def ours(ground: Ground) -> Measured:
    """Return the seconds from the moment when Kafka accepts connections to the carrier's answer."""
    with running(ground, gauges=GAUGES) as copy:
        copy.stack.stop_broker()
        flooded(copy.door, copy.key, copy.town.sensors, posts=READINGS // ROWS, rows=ROWS, connections=4)
        _report(copy)
        waiting = _unpublished(copy)
        if waiting < READINGS:
            raise NotMeasured(f"{waiting} readings waited before the report, not {READINGS}")
        with watch(*copy.pids(*copy.services)) as cost, ThreadPoolExecutor(1) as threads:
            back = threads.submit(_until_open, copy)
            copy.stack.start_broker()
            came_s = _until_told(copy)
            left = _unpublished(copy)
            back_s = back.result()
    return Measured(came_s - back_s, waiting, cost.cpu_s, cost.peak_rss_mb, {"still_waiting": left})


def _report(copy: Copy) -> None:
    document = {
        "category": "flood",
        "text": WORDS,
        "zone": "z-001",
        "channel": "web",
        "event_id": "emergencia-1",
        "municipality": copy.town.id,
        "reported_at": datetime.now(UTC).isoformat(),
    }
    answer = httpx.post(f"{copy.door}/v1/reports", json=document, timeout=30)
    if answer.status_code != httpx.codes.CREATED:
        raise NotMeasured(f"the report was answered {answer.status_code}: {answer.text[:300]}")


def _unpublished(copy: Copy) -> int:
    answer = copy.stack.client().get("ingest", "/admin/v1/quiescence")
    return int(answer["detail"]["unpublished"])


def _until_open(copy: Copy) -> float:
    host, _, port = copy.stack.bootstrap.rpartition(":")
    until_s = time.monotonic() + WITHIN_S
    while time.monotonic() < until_s:
        if is_open(host, int(port)):
            return time.monotonic()
        time.sleep(0.01)
    raise NotMeasured("Kafka did not come back")


def _until_told(copy: Copy) -> float:
    """Wait for the first text of the run: nothing else in it calls for one."""
    until_s = time.monotonic() + WITHIN_S
    while time.monotonic() < until_s:
        if httpx.get(copy.stack.urls["carrier"] + "/_ledger", timeout=30).json()["items"]:
            return time.monotonic()
        time.sleep(0.02)
    raise NotMeasured("nobody was told of the report")


BENCHMARK = Benchmark(name="report_after_outage", unit="s", better="lower", ours=ours, samples_least=READINGS)
