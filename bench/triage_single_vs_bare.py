"""The same, one reading a record: a trickle from many gauges, each with its envelope."""

from __future__ import annotations

from dataclasses import replace

from bench import triage_vs_bare
from bench.ground import Ground
from bench.load import make_load, put_single
from schemas.topics import READINGS


def prepare(ground: Ground) -> None:
    load = make_load(ground.folder / "towns")
    put_single(ground.kafka.bootstrap, READINGS.name, load, enveloped=True)
    triage_vs_bare.put_bare(ground, load)


BENCHMARK = replace(triage_vs_bare.BENCHMARK, name="triage_single_vs_bare", prepare=prepare, asked=None)
