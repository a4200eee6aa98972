"""From a reading posted to the page accepted by the carrier, the town idle, on SQLite."""

from __future__ import annotations

from bench import latency
from bench.harness import Benchmark

BENCHMARK = Benchmark(
    name="latency_idle",
    unit="ms (p50)",
    better="lower",
    ours=latency.ours,
    samples_least=latency.PROBES,
    baseline="POST, aiokafka twice, POST to the same carrier, the same batch_timeout_ms; nothing stored",
    against=latency.bare,
    prepare=latency.prepare,
    asked=0.2,
)
