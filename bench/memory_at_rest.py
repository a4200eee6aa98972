"""How much memory every process of ours takes together when nothing happens."""

from __future__ import annotations

import time
from typing import Final

import psutil

from bench.cost import MB, watch
from bench.ground import Ground
from bench.harness import Benchmark, Measured, NotMeasured
from bench.whole_town import running

GAUGES: Final = 200
SETTLES_S: Final = 10.0
LOOKS: Final = 10


def ours(ground: Ground) -> Measured:
    """Return the largest of ten looks at a copy that has come to rest; broker and fake carrier apart."""
    with running(ground, gauges=GAUGES) as copy:
        time.sleep(SETTLES_S)
        pids = copy.pids(*copy.services)
        if len(pids) != len(copy.services):
            raise NotMeasured(f"{len(pids)} of {len(copy.services)} processes run")
        with watch(*pids) as cost:
            looks = []
            for _ in range(LOOKS):
                looks.append({name: _rss_mb(copy.pids(name)) for name in copy.services})
                time.sleep(0.5)
    most = max(looks, key=lambda look: sum(look.values()))
    return Measured(sum(most.values()), len(looks), cost.cpu_s, cost.peak_rss_mb, most)


def _rss_mb(pids: list[int]) -> float:
    return sum(float(psutil.Process(pid).memory_info().rss) for pid in pids) / MB


BENCHMARK = Benchmark(name="memory_at_rest", unit="MB", better="lower", ours=ours, samples_least=LOOKS)
