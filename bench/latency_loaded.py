"""The slowest hundredth of pages while 5,000 readings come in each second, beside the same when idle."""

from __future__ import annotations

from bench import latency
from bench.harness import Benchmark

BENCHMARK = Benchmark(
    name="latency_loaded",
    unit="ms (p99)",
    better="lower",
    ours=latency.loaded_p99,
    samples_least=latency.PROBES,
    baseline="p99 of the same copy when idle",
    against=latency.ours_p99,
    prepare=latency.prepare,
    asked=1 / 3,
)
