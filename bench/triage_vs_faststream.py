"""Live triage on packed records, against FastStream as its first page shows it: one call a record."""

from __future__ import annotations

from bench import baseline
from bench.ground import Ground
from bench.harness import Benchmark, Measured
from bench.triage_vs_bare import SAMPLES_LEAST, SINGLE, ours, prepare


def faststream(ground: Ground) -> Measured:
    return baseline.fold(ground, ground.kept["load"], "faststream_single", SINGLE)


BENCHMARK = Benchmark(
    name="triage_vs_faststream",
    unit="readings/s",
    better="higher",
    ours=ours,
    samples_least=SAMPLES_LEAST,
    baseline="FastStream, one message per call, a pydantic model, memory only",
    against=faststream,
    prepare=prepare,
    asked=20,
)
