"""Live triage on packed records, against quixstreams with its state store."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench import baseline
from bench.ground import Ground
from bench.harness import Benchmark, Measured, NotMeasured
from bench.triage_vs_bare import SAMPLES_LEAST, SINGLE, ours, prepare

INTERPRETER: Final = Path("var/bench/venv/bin/python").absolute()


def quix(ground: Ground) -> Measured:
    if not INTERPRETER.exists():
        raise NotMeasured("quixstreams is not installed: make bench B=triage_vs_quix")
    return baseline.fold(ground, ground.kept["load"], "quix", SINGLE, interpreter=INTERPRETER)


BENCHMARK = Benchmark(
    name="triage_vs_quix",
    unit="readings/s",
    better="higher",
    ours=ours,
    samples_least=SAMPLES_LEAST,
    baseline="quixstreams with its state store (RocksDB and changelog), one reading a record",
    against=quix,
    prepare=prepare,
    asked=3,
)
