"""From a reading posted to the coordinator's page accepted by the carrier, through the whole copy."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Final

from bench.cost import watch
from bench.door import running_program, until_ready
from bench.ground import Ground
from bench.harness import Measured, NotMeasured
from bench.topics import make_topic
from bench.whole_town import Copy, background, paged_at, percentile, probe, running
from municipio.ports import free_ports

PROBES: Final = 334
"""A run; three of them are the thousand."""
RUNS_MOST: Final = 4
EVERY_S: Final = 0.2
QUIET: Final = 100
"""Gauges that never alarm, for the background."""
TOPIC: Final = "bench.chain"
LOAD_LEAST: Final = 0.95
"""Of the background that was asked for; with less of it the run says nothing."""


def prepare(ground: Ground, *, postgres: bool = False) -> None:
    """Start the copy and, beside it on the same broker and carrier, the bare chain."""
    gauges = PROBES * 2 * RUNS_MOST + QUIET
    copy = ground.kept["copy"] = ground.hold(running(ground, gauges=gauges, postgres=postgres))
    ground.kept["chain"] = ground.hold(_chain(ground, copy))
    ground.kept["next"] = iter(range(RUNS_MOST * 2))


def ours(ground: Ground) -> Measured:
    """Return p50 in ms; p99 stands beside it."""
    copy: Copy = ground.kept["copy"]
    return _measured(ground, copy.door, copy.key, copy.pids(*copy.services))


def bare(ground: Ground) -> Measured:
    door, pids = ground.kept["chain"]
    return _measured(ground, door, "none", pids)


def ours_p99(ground: Ground) -> Measured:
    return _by_p99(ours(ground), {})


def loaded_p99(ground: Ground, *, rows: int = 500, every_s: float = 0.1) -> Measured:
    """Return p99 in ms while 5,000 quiet readings of other gauges come in each second."""
    copy: Copy = ground.kept["copy"]
    quiet = copy.town.sensors[-QUIET:]
    with background(copy.door, copy.key, quiet, rows=rows, every_s=every_s) as load:
        time.sleep(2)
        measured = ours(ground)
    rate = load["accepted"] / load["seconds"]
    if rate < LOAD_LEAST * rows / every_s:
        raise NotMeasured(f"the background came to {rate:.0f} readings/s")
    return _by_p99(measured, {"background_per_s": rate})


def _measured(ground: Ground, door: str, key: str, pids: Sequence[int]) -> Measured:
    copy: Copy = ground.kept["copy"]
    number = next(ground.kept["next"])
    gauges = copy.town.sensors[number * PROBES : (number + 1) * PROBES]
    with watch(*pids) as cost:
        sent = probe(door, key, gauges, every_s=EVERY_S, seed=number)
        paged = paged_at(copy.stack.urls["carrier"] + "/_ledger", gauges)
    took_ms = [1000 * (paged[gauge] - sent[gauge][0]) for gauge in gauges]
    more = {"p99_ms": percentile(took_ms, 0.99), "max_ms": max(took_ms)}
    return Measured(percentile(took_ms, 0.5), len(took_ms), cost.cpu_s, cost.peak_rss_mb, more)


def _by_p99(measured: Measured, more: Mapping[str, float]) -> Measured:
    further = {"p50_ms": measured.value, **more}
    return replace(measured, value=measured.more["p99_ms"], more=further)


@contextmanager
def _chain(ground: Ground, copy: Copy) -> Iterator[tuple[str, list[int]]]:
    """Run the three programs of the bare chain; yield the address of its door, and their pids."""
    (port,) = free_ports(1)
    for hop in ("1", "2"):
        make_topic(copy.stack.bootstrap, f"{TOPIC}.{hop}", 1)
    keys, url = copy.stack.copy.keys, f"http://127.0.0.1:{port}"
    told = {
        "bootstrap": copy.stack.bootstrap,
        "topic": TOPIC,
        "carrier": copy.stack.urls["carrier"],
        "account": (keys / "twilio_account_sid").read_text().strip(),
        "token": (keys / "twilio_auth_token").read_text().strip(),
        "port": str(port),
    }
    words = [word for name, value in told.items() for word in (f"--{name}", value)]
    log = ground.folder / "chain.log"
    with ExitStack() as held:
        parts = [
            held.enter_context(running_program(["bench.baselines.chain", part, *words], log, {}))
            for part in ("sender", "rule", "door")
        ]
        until_ready(f"{url}/readyz", parts[-1], log)
        yield url, [part.pid for part in parts]
