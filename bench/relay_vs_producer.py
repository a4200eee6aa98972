"""Rows of the outbox to Kafka, confirmed and marked, against a producer that has nothing to mark."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

from bench.door import ROOT, said
from bench.ground import Ground
from bench.harness import Benchmark, Measured, NotMeasured
from bench.topics import ends, make_topic

COUNT: Final = 100_000
DONE_WITHIN_S: Final = 240.0


def ours(ground: Ground) -> Measured:
    return _published(ground, "relay")


def bare(ground: Ground) -> Measured:
    return _published(ground, "producer")


def _published(ground: Ground, how: str) -> Measured:
    number = ground.kept["topics"] = ground.kept.get("topics", 0) + 1
    topic = f"bench.outbox.{number}"
    make_topic(ground.kafka.bootstrap, topic)
    told = {
        "bootstrap": ground.kafka.bootstrap,
        "topic": topic,
        "database": f"sqlite:///{ground.folder / f'outbox-{number}.sqlite'}",
        "count": str(COUNT),
    }
    words = [word for name, value in told.items() for word in (f"--{name}", value)]
    command = [sys.executable, "-m", "bench.baselines.outbox", how, *words]
    took = said(
        subprocess.run(command, capture_output=True, text=True, timeout=DONE_WITHIN_S, check=False, cwd=ROOT)
    )
    stands = sum(ends(ground.kafka.bootstrap, topic).values())
    if stands != COUNT:
        raise NotMeasured(f"{stands} of {COUNT} records stand on the topic")
    return Measured(COUNT / took["seconds"], COUNT, took["cpu_s"], took["peak_rss_mb"])


BENCHMARK = Benchmark(
    name="relay_vs_producer",
    unit="rows/s",
    better="higher",
    ours=ours,
    samples_least=COUNT,
    baseline="aiokafka send() of the same records, flush() per 500, nothing read or marked",
    against=bare,
    asked=0.60,
)
