"""Two processes of triage in one group on PostgreSQL, against one."""

from __future__ import annotations

from bench import deployment
from bench.ground import Ground
from bench.harness import Benchmark, Measured
from bench.load import make_load, put_packed
from bench.triage_vs_bare import SAMPLES_LEAST

TOWNS = 6


def prepare(ground: Ground) -> None:
    """Six towns of a hundred gauges: what two processes share is a deployment, not one town's row."""
    towns = ground.folder / "towns"
    loads = [
        make_load(towns, f"rio-{number}", sensors=100, each=1500, gauges_a_zone=10, seed=number)
        for number in range(TOWNS)
    ]
    put_packed(ground.kafka.bootstrap, loads)
    ground.kept["loads"] = loads


def two(ground: Ground) -> Measured:
    return deployment.fold(ground, ground.kept["loads"], postgres=True, processes=2)


def one(ground: Ground) -> Measured:
    return deployment.fold(ground, ground.kept["loads"], postgres=True)


BENCHMARK = Benchmark(
    name="triage_two_processes",
    unit="readings/s",
    better="higher",
    ours=two,
    samples_least=SAMPLES_LEAST,
    baseline="one process on PostgreSQL",
    against=one,
    prepare=prepare,
    asked=1.3,
)
