"""From the end of triage by -9 to the page of an incident that only its successor can decide."""

from __future__ import annotations

import os
import signal
import time
from typing import Final

from bench.cost import watch
from bench.ground import Ground
from bench.harness import Benchmark, Measured, NotMeasured
from bench.whole_town import Copy, paged_at, probe, running

RUNS_MOST: Final = 10


def prepare(ground: Ground) -> None:
    ground.kept["copy"] = ground.hold(running(ground, gauges=2 * RUNS_MOST))
    ground.kept["gauges"] = iter(ground.kept["copy"].town.sensors)


def ours(ground: Ground) -> Measured:
    """Kill, post an alarming reading at once, wait for its page; the way to the carrier is in the figure."""
    copy: Copy = ground.kept["copy"]
    ledger = copy.stack.urls["carrier"] + "/_ledger"
    before, after = next(ground.kept["gauges"]), next(ground.kept["gauges"])
    probe(copy.door, copy.key, [before], every_s=0.1, seed=1)
    paged_at(ledger, [before])
    (pid,) = copy.pids("triage")
    killed_at = time.time()
    os.kill(pid, signal.SIGKILL)
    probe(copy.door, copy.key, [after], every_s=0.1, seed=1)
    with watch(*copy.pids(*copy.services)) as cost:
        paged = paged_at(ledger, [after])[after]
    if copy.pids("triage") == [pid]:
        raise NotMeasured("triage was not restarted")
    return Measured(paged - killed_at, 1, cost.cpu_s, cost.peak_rss_mb)


BENCHMARK = Benchmark(
    name="restart_to_decision", unit="s", better="lower", ours=ours, samples_least=1, prepare=prepare
)
