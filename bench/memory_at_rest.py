"""How much memory every process of ours takes together when nothing happens.

A page that several processes share, as those of Python itself, counts once among them (PSS); what each
would seem to take by itself (RSS) is told beside it.
"""

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
        for name in copy.services:  # As on any day but the first, when the tables were made as well.
            copy.stack.stop_process(name)
            copy.stack.start_process(name)
        copy.stack.ready()
        time.sleep(SETTLES_S)
        pids = copy.pids(*copy.services)
        if len(pids) != len(copy.services):
            raise NotMeasured(f"{len(pids)} of {len(copy.services)} processes run")
        with watch(*pids) as cost:
            looks = []
            for _ in range(LOOKS):
                looks.append({name: _pss_mb(copy.pids(name)) for name in copy.services})
                time.sleep(0.5)
    most = max(looks, key=lambda look: sum(look.values()))
    more = {**most, "rss_mb": cost.peak_rss_mb}
    return Measured(sum(most.values()), len(looks), cost.cpu_s, cost.peak_rss_mb, more)


def _pss_mb(pids: list[int]) -> float:
    return sum(float(psutil.Process(pid).memory_full_info().pss) for pid in pids) / MB


BENCHMARK = Benchmark(name="memory_at_rest", unit="MB", better="lower", ours=ours, samples_least=LOOKS)
