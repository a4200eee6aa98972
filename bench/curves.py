"""Draw what a reading costs triage as the load grows: more readings, more sensors, more towns.

``make bench B=curves`` measures every point three times in a process of its own, takes the median, and writes
the figures to ``var/curves.json`` and the picture to ``docs/images/triage-curves.svg``.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

from bench.harness import NotMeasured

POINT_WITHIN_S: Final = 240.0
RUNS: Final = 3
PICTURE: Final = Path("docs/images/triage-curves.svg")
FIGURES: Final = Path("var/curves.json")


class Point(NamedTuple):
    """A load; ``x`` is what the curve grows by."""

    x: int
    readings: int
    sensors: int
    towns: int


CURVES: Final = {
    "readings of 100 sensors": [Point(many, many, 100, 1) for many in (1_000, 10_000, 100_000, 1_000_000)],
    # A municipality may have 5,000 rules; more sensors than that are several towns.
    "sensors, 200,000 readings": [
        Point(many, 200_000, many, towns)
        for many, towns in ((100, 1), (1_000, 1), (10_000, 4), (100_000, 40))
    ],
    "towns, 1,000 sensors, 200,000 readings": [
        Point(towns, 200_000, 1_000, towns) for towns in (1, 5, 10, 25, 50)
    ],
}


class Cost(NamedTuple):
    """What one point came to; the spread of the CPU time in percent of its median."""

    x: int
    us_a_reading: float
    peak_rss_mb: float
    spread_pct: float


def measure(point: Point) -> Cost:
    """Return the median of several runs.

    Raises:
        NotMeasured: A run failed or folded something else than it was given.
    """
    runs = [_run(point) for _ in range(RUNS)]
    costs = [1e6 * run["cpu_s"] / run["readings"] for run in runs]
    middle = statistics.median(costs)
    peak_mb = max(run["peak_rss_mb"] for run in runs)
    return Cost(point.x, middle, peak_mb, 100 * (max(costs) - min(costs)) / middle)


def _run(point: Point) -> dict[str, float]:
    words = [f"--{name}={getattr(point, name)}" for name in ("readings", "sensors", "towns")]
    done = subprocess.run(
        [sys.executable, "-m", "bench.curve_point", *words],
        capture_output=True,
        text=True,
        timeout=POINT_WITHIN_S,
        check=False,
    )
    if done.returncode:
        raise NotMeasured(f"{point}: {done.stderr[-1000:]}")
    said: dict[str, float] = json.loads(done.stdout)
    return said


def draw(curves: dict[str, list[Cost]], path: Path) -> None:
    """Write one picture: above what a reading costs, below the peak of memory, a column per curve."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams |= {"svg.hashsalt": "triage", "svg.fonttype": "none", "font.size": 8}
    figure = Figure(figsize=(11, 5), layout="constrained")
    grid = figure.subplots(2, len(curves), sharex="col", sharey="row")
    for column, (name, costs) in enumerate(curves.items()):
        xs = [cost.x for cost in costs]
        above, below = grid[0][column], grid[1][column]
        above.plot(xs, [cost.us_a_reading for cost in costs], marker="o")
        below.plot(xs, [cost.peak_rss_mb for cost in costs], marker="o", color="tab:orange")
        above.set_xscale("log")
        below.set_xlabel(name)
        for axes in (above, below):
            axes.grid(visible=True, alpha=0.3)
    for row in grid:  # Once all curves of a row stand: the scale is theirs together.
        row[0].set_ylim(bottom=0)
    grid[0][0].set_ylabel("CPU microseconds a reading")
    grid[1][0].set_ylabel("peak of memory, MB")
    figure.savefig(path, metadata={"Date": None})


def main() -> int:
    """Measure every point, then draw; 1 and no picture if any could not be measured."""
    measured: dict[str, list[Cost]] = {}
    for name, points in CURVES.items():
        measured[name] = []
        for point in points:
            try:
                cost = measure(point)
            except (NotMeasured, subprocess.TimeoutExpired) as err:
                sys.stderr.write(f"NOT MEASURED {name}: {err}\n")
                return 1
            sys.stderr.write(
                f"{name}: {point.x:,}: {cost.us_a_reading:.2f} us a reading, {cost.peak_rss_mb:.0f} MB\n"
            )
            measured[name].append(cost)
    FIGURES.write_text(json.dumps({name: [each._asdict() for each in row] for name, row in measured.items()}))
    draw(measured, PICTURE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
