"""Live triage as deployed on packed records, against the least that can fold readings."""

from __future__ import annotations

from typing import Final

from bench import baseline, deployment
from bench.ground import Ground
from bench.harness import Benchmark, Measured
from bench.load import Load, make_load, put_packed, put_single
from bench.topics import make_topic

SINGLE: Final = "bench.single"
SAMPLES_LEAST: Final = 500_000


def prepare(ground: Ground) -> None:
    """Put the same readings on ``readings``, packed, and one by one on a topic without headers."""
    load = make_load(ground.folder / "towns")
    put_packed(ground.kafka.bootstrap, [load])
    put_bare(ground, load)


def put_bare(ground: Ground, load: Load) -> None:
    make_topic(ground.kafka.bootstrap, SINGLE)
    put_single(ground.kafka.bootstrap, SINGLE, load, enveloped=False)
    ground.kept["load"] = load


def ours(ground: Ground) -> Measured:
    return deployment.fold(ground, [ground.kept["load"]])


def bare(ground: Ground) -> Measured:
    return baseline.fold(ground, ground.kept["load"], "bare", SINGLE)


BENCHMARK = Benchmark(
    name="triage_vs_bare",
    unit="readings/s",
    better="higher",
    ours=ours,
    samples_least=SAMPLES_LEAST,
    baseline="bare aiokafka + msgspec, one reading a record without headers, memory only, commit per poll",
    against=bare,
    prepare=prepare,
    asked=1.0,
)
