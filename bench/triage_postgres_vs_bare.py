"""Live triage on packed records with its tables on PostgreSQL and its relay beside it."""

from __future__ import annotations

from dataclasses import replace

from bench import deployment, triage_vs_bare
from bench.ground import Ground
from bench.harness import Measured


def on_postgres(ground: Ground) -> Measured:
    return deployment.fold(ground, [ground.kept["load"]], postgres=True)


BENCHMARK = replace(triage_vs_bare.BENCHMARK, name="triage_postgres_vs_bare", ours=on_postgres, asked=0.8)
