"""Measure two sides against each other, turn about, and refuse a figure that nothing stands behind."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from bench.ground import Ground

Json = dict[str, Any]  # Any: a JSON document
RUNS_LEAST: Final = 3


class NotMeasured(Exception):
    """A side measured nothing that counts: no broker, wrong output, no fault where one was due."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one side came to in one run.

    Attributes:
        samples: How many readings, requests or messages the value stands for.
        more: Further figures of the run, by name, such as other percentiles.
    """

    value: float
    samples: int
    cpu_s: float
    peak_rss_mb: float
    more: Mapping[str, float] = field(default_factory=dict)


Side = Callable[[Ground], Measured]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One figure.

    Attributes:
        name: As it stands in ``var/bench.json``.
        baseline: What it is held against, in words; ``None`` for a figure that stands alone.
        prepare: Fills topics and files once, before the first run.
        samples_least: Below this a run is no measurement.
        asked: The ratio that is asked for; ``None`` where the figure is only reported.
    """

    name: str
    unit: str
    better: Literal["higher", "lower"]
    ours: Side
    samples_least: int
    baseline: str | None = None
    against: Side | None = None
    prepare: Callable[[Ground], None] | None = None
    asked: float | None = None


def measure(benchmark: Benchmark, ground: Ground, runs: int) -> Json:
    """Run both sides ``runs`` times, the first one changing, and return the item of ``var/bench.json``.

    Raises:
        NotMeasured: A run that must not become a number.
    """
    if runs < RUNS_LEAST:
        raise NotMeasured(f"{runs} runs: a median and its spread need {RUNS_LEAST}")
    if benchmark.prepare is not None:
        benchmark.prepare(ground)
    pairs = [_pair(benchmark, ground, number) for number in range(runs)]
    ratios = [ratio for ours, against in pairs if (ratio := _ratio(benchmark, ours, against)) is not None]
    ours = [pair[0] for pair in pairs]
    baselines = [pair[1].value for pair in pairs if pair[1] is not None]
    return {
        "name": benchmark.name,
        "value": _median(each.value for each in ours),
        "unit": benchmark.unit,
        "better": benchmark.better,
        "baseline": benchmark.baseline,
        "baseline_value": _median(baselines) if baselines else None,
        "ratio": _median(ratios) if ratios else None,
        "asked": benchmark.asked,
        "spread_pct": _spread_pct([each.value for each in ours]),
        "cpu_s": _median(each.cpu_s for each in ours),
        "peak_rss_mb": max(each.peak_rss_mb for each in ours),
        "more": _more(ours),
        "runs": [_run(benchmark, *pair) for pair in pairs],
    }


def _pair(benchmark: Benchmark, ground: Ground, number: int) -> tuple[Measured, Measured | None]:
    if benchmark.against is None:
        return _checked(benchmark, benchmark.ours, ground), None
    if number % 2:  # What the machine does meanwhile must not always meet the same side.
        against = _checked(benchmark, benchmark.against, ground)
        return _checked(benchmark, benchmark.ours, ground), against
    ours = _checked(benchmark, benchmark.ours, ground)
    return ours, _checked(benchmark, benchmark.against, ground)


def _checked(benchmark: Benchmark, side: Side, ground: Ground) -> Measured:
    measured = side(ground)
    whose = "ours" if side is benchmark.ours else "baseline"
    if measured.samples < benchmark.samples_least:
        raise NotMeasured(
            f"{benchmark.name}, {whose}: {measured.samples} samples, {benchmark.samples_least} are needed"
        )
    if measured.value <= 0:
        raise NotMeasured(f"{benchmark.name}, {whose}: {measured.value} is no measurement")
    more = "".join(f", {name} {value:,.4g}" for name, value in measured.more.items())
    sys.stderr.write(
        f"{benchmark.name}: {whose} {measured.value:,.4g} {benchmark.unit}, {measured.cpu_s:.1f} CPU s, "
        f"{measured.peak_rss_mb:.0f} MB{more}\n"
    )
    return measured


def _ratio(benchmark: Benchmark, ours: Measured, against: Measured | None) -> float | None:
    """Return how much better than the baseline: above 1 is better, whichever way the unit counts."""
    if against is None:
        return None
    better = ours.value / against.value
    return better if benchmark.better == "higher" else 1 / better


def _run(benchmark: Benchmark, ours: Measured, against: Measured | None) -> Json:
    return {
        "value": ours.value,
        "baseline_value": against.value if against else None,
        "ratio": _ratio(benchmark, ours, against),
        "samples": ours.samples,
        "cpu_s": ours.cpu_s,
        "peak_rss_mb": ours.peak_rss_mb,
        "baseline_cpu_s": against.cpu_s if against else None,
        "baseline_peak_rss_mb": against.peak_rss_mb if against else None,
        "more": dict(ours.more),
        "baseline_more": dict(against.more) if against else {},
    }


def _more(measured: Sequence[Measured]) -> dict[str, float]:
    names = {name for each in measured for name in each.more}
    return {
        name: _median(each.more[name] for each in measured if name in each.more) for name in sorted(names)
    }


def _spread_pct(values: Sequence[float]) -> float:
    return round(100 * (max(values) - min(values)) / _median(values), 1)


def _median(values: Any) -> float:  # Any: an iterable of floats
    return float(statistics.median(values))
