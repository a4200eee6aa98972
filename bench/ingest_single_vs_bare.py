"""Single readings a second, each committed before it is answered."""

from __future__ import annotations

from functools import partial

from bench import door
from bench.harness import Benchmark

BENCHMARK = Benchmark(
    name="ingest_single_vs_bare",
    unit="POSTs/s",
    better="higher",
    ours=partial(door.ours, posts=12_000, rows=1, connections=32),
    samples_least=10_000,
    baseline="the same framework parses and validates the same model and answers the same; no storage",
    against=partial(door.bare, posts=12_000, rows=1, connections=32),
    prepare=door.prepare,
    asked=0.40,
)
