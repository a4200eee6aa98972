"""Find the benchmarks: every ``bench/<name>.py`` that has a ``BENCHMARK``, by the names of DOORS."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from bench.harness import Benchmark

MODULES: Final = (
    "triage_vs_bare",
    "triage_single_vs_bare",
    "triage_vs_faststream",
    "triage_vs_quix",
    "triage_postgres_vs_bare",
    "triage_two_processes",
    "ingest_single_vs_bare",
    "ingest_batch_vs_bare",
    "relay_vs_producer",
    "latency_idle",
    "latency_idle_postgres",
    "latency_loaded",
    "backtest_vs_loop",
    "memory_at_rest",
    "run_to_ready",
    "restart_to_decision",
    "report_after_outage",
)
"""In the order in which they run."""


def benchmark(name: str) -> Benchmark:
    """Return a benchmark by its name.

    Raises:
        KeyError: There is none.
    """
    if name not in MODULES:
        raise KeyError(name)
    found: Benchmark = import_module(f"bench.{name}").BENCHMARK
    return found
