"""``municipio backtest`` of half a year of twenty gauges, against a loop that only reads and compares."""

from __future__ import annotations

import csv
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from bench.baselines.rule import ROWS
from bench.cost import watch
from bench.door import MUNICIPIO, ROOT, Json, said
from bench.ground import Ground
from bench.harness import Benchmark, Measured, NotMeasured
from tests.support.towns import write_town

GAUGES: Final = 20
EACH: Final = 50_000
COUNT: Final = GAUGES * EACH
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
EVERY: Final = timedelta(minutes=5)
FLOOD_EVERY: Final = 5000
FLOOD_LASTS: Final = 400
DONE_WITHIN_S: Final = 400.0


def prepare(ground: Ground) -> None:
    """Write the town and its archive, in order of time."""
    town = write_town(
        ground.folder / "towns",
        "rio",
        zones=GAUGES,
        residents_per_zone=1,
        confirm=2,
        levels=ROWS,
        expected_every_s=300,
    )
    path = ground.folder / "archive.csv"
    chance = random.Random(1)
    series = {gauge: list(_river(chance)) for gauge in town.sensors}
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("observed_at", "sensor_id", "property", "value", "unit"))
        for place in range(EACH):
            at = (START + EVERY * place).isoformat()
            writer.writerows(
                (at, gauge, "river_level", values[place], "m") for gauge, values in series.items()
            )
    ground.kept |= {"town": town.folder, "archive": path}


def _river(chance: random.Random) -> Iterator[float]:
    """Yield a river that is low but for a day and a half in every seventeen."""
    level, drawn_to = 0.5, 0.5
    for place in range(EACH):
        if place % FLOOD_EVERY == FLOOD_EVERY - 1000:
            drawn_to = chance.uniform(0.8, 4.5)
        elif place % FLOOD_EVERY == FLOOD_EVERY - 1000 + FLOOD_LASTS:
            drawn_to = 0.5
        level += (drawn_to - level) * 0.02 + chance.uniform(-0.01, 0.01)
        yield round(level, 3)


def ours(ground: Ground) -> Measured:
    """Time the whole command, its start included."""
    command = [MUNICIPIO, "backtest", str(ground.kept["archive"]), "--json"]
    measured, answer = _timed([*command, "--municipality", str(ground.kept["town"])])
    moved = {
        (row["sensor_id"], row["observed_at"])
        for row in answer["changes"]
        if row["kind"] == "condition" and row["provisional"] and row["from"] != row["to"]
    }
    if answer["readings"] != COUNT or answer["rejected_count"]:
        raise NotMeasured(f"{answer['readings']} of {COUNT} readings were decided")
    ground.kept["moved"] = len(moved)
    return measured


def bare(ground: Ground) -> Measured:
    measured, answer = _timed([sys.executable, "-m", "bench.baselines.archive", str(ground.kept["archive"])])
    if answer["readings"] != COUNT or ground.kept.get("moved", answer["changes"]) != answer["changes"]:
        raise NotMeasured(f"the loop found {answer['changes']} changes, the backtest {ground.kept['moved']}")
    return measured


def _timed(words: list[str]) -> tuple[Measured, Json]:
    """Run a program of ours on one core."""
    core = {min(os.sched_getaffinity(0))}
    began_s = time.monotonic()
    with (
        subprocess.Popen(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            preexec_fn=lambda: os.sched_setaffinity(0, core),  # noqa: PLW1509 - no threads yet
        ) as process,
        watch(process.pid) as cost,
    ):
        out, err = process.communicate(timeout=DONE_WITHIN_S)
    took_s = time.monotonic() - began_s
    answer = said(subprocess.CompletedProcess(["", "", words[0]], process.returncode, out, err))
    return Measured(COUNT / took_s, COUNT, cost.cpu_s, cost.peak_rss_mb), answer


BENCHMARK = Benchmark(
    name="backtest_vs_loop",
    unit="readings/s",
    better="higher",
    ours=ours,
    samples_least=COUNT,
    baseline="csv.reader, float(), the same comparisons in a loop",
    against=bare,
    prepare=prepare,
    asked=0.30,
)
