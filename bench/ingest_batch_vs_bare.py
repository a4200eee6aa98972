"""Readings a second in POSTs of 1,000, each committed before it is answered, the relay publishing."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from bench import door, ingest_single_vs_bare

BENCHMARK = replace(
    ingest_single_vs_bare.BENCHMARK,
    name="ingest_batch_vs_bare",
    unit="readings/s",
    ours=partial(door.ours, posts=300, rows=1000, connections=8),
    against=partial(door.bare, posts=300, rows=1000, connections=8),
    samples_least=300_000,
    asked=0.30,
)
