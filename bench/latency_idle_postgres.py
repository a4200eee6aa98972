"""From a reading posted to the page accepted by the carrier, the town idle, on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from bench import latency, latency_idle

BENCHMARK = replace(
    latency_idle.BENCHMARK, name="latency_idle_postgres", prepare=partial(latency.prepare, postgres=True)
)
