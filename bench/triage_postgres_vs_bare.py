"""Live triage on packed records with its tables on PostgreSQL and its relay beside it."""

from __future__ import annotations

from bench import deployment
from bench.ground import Ground
from bench.harness import Benchmark, Measured
from bench.triage_vs_bare import SAMPLES_LEAST, bare, prepare


def on_postgres(ground: Ground) -> Measured:
    return deployment.fold(ground, [ground.kept["load"]], postgres=True)


BENCHMARK = Benchmark(
    name="triage_postgres_vs_bare",
    unit="readings/s",
    better="higher",
    ours=on_postgres,
    samples_least=SAMPLES_LEAST,
    baseline="bare aiokafka + msgspec, one reading a record without headers, memory only, commit per poll",
    against=bare,
    prepare=prepare,
    asked=0.8,
)
