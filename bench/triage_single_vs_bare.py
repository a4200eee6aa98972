"""The same, one reading a record: a trickle from many gauges, each with its envelope."""

from __future__ import annotations

from bench.ground import Ground
from bench.harness import Benchmark
from bench.load import make_load, put_single
from bench.triage_vs_bare import SAMPLES_LEAST, bare, ours, put_bare
from schemas.topics import READINGS


def prepare(ground: Ground) -> None:
    load = make_load(ground.folder / "towns")
    put_single(ground.kafka.bootstrap, READINGS.name, load, enveloped=True)
    put_bare(ground, load)


BENCHMARK = Benchmark(
    name="triage_single_vs_bare",
    unit="readings/s",
    better="higher",
    ours=ours,
    samples_least=SAMPLES_LEAST,
    baseline="bare aiokafka + msgspec, one reading a record without headers, memory only, commit per poll",
    against=bare,
    prepare=prepare,
)
