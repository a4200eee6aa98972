"""Readings a second in POSTs of 1,000, each committed before it is answered, the relay publishing."""

from __future__ import annotations

from functools import partial

from bench import door
from bench.harness import Benchmark

BENCHMARK = Benchmark(
    name="ingest_batch_vs_bare",
    unit="readings/s",
    better="higher",
    ours=partial(door.ours, posts=300, rows=1000, connections=8),
    samples_least=300_000,
    baseline="the same framework parses and validates the same model and answers the same; no storage",
    against=partial(door.bare, posts=300, rows=1000, connections=8),
    prepare=door.prepare,
    asked=0.30,
)
