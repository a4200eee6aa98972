"""``python -m bench``: every figure as a ratio against a baseline of the same run."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from confluent_kafka import KafkaException
from rich.console import Console
from rich.table import Table

from bench import curves
from bench.ground import Ground
from bench.harness import RUNS_LEAST, Json, NotMeasured, measure
from bench.registry import MODULES, benchmark
from municipio.errors import DependencyDown

OUT = Path("var/bench.json")
WRONG_USE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked; 0 however slow, 1 if anything could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", default="", metavar="NAME,…", help=f"of {', '.join(MODULES)}; or curves")
    parser.add_argument("--runs", type=int, default=RUNS_LEAST, help="of each side, at least 3")
    chosen = parser.parse_args(arguments)
    names = [name for name in chosen.only.split(",") if name] or list(MODULES)
    if names == ["curves"]:
        return curves.main()
    unknown = [name for name in names if name not in MODULES]
    if unknown:
        sys.stderr.write(f"no such benchmark: {', '.join(unknown)}; there are: {', '.join(MODULES)}\n")
        return WRONG_USE
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Told to end, it ends what it started, too.
    items, failed = [], []
    for name in names:
        try:
            with Ground() as ground:
                items.append(measure(benchmark(name), ground, chosen.runs))
        except (NotMeasured, DependencyDown, OSError, RuntimeError, KafkaException) as err:
            failed.append(f"{name}: {err}")
            sys.stderr.write(f"{name}: NOT MEASURED: {err}\n")
        _write(items, names)
    Console(width=120).print(_table(items))
    for line in failed:
        sys.stderr.write(f"NOT MEASURED {line}\n")
    return 1 if failed else 0


def _write(items: Sequence[Json], asked: Sequence[str]) -> None:
    """Write what is measured so far; earlier figures stay only where nothing new was asked."""
    before = json.loads(OUT.read_text())["items"] if OUT.exists() else []
    kept = [item for item in before if item["name"] not in asked]
    now = {item["name"]: item for item in (*kept, *items)}
    answer = {"schema": "municipio/bench/1", "items": [now[name] for name in MODULES if name in now]}
    OUT.parent.mkdir(exist_ok=True)
    draft = OUT.with_suffix(".new")
    draft.write_text(json.dumps(answer, indent=1) + "\n")
    os.replace(draft, OUT)


def _table(items: Sequence[Json]) -> Table:
    table = Table("figure", "ours", "baseline", "unit", "ratio", "asked", "spread", "CPU s", "peak MB")
    for item in items:
        ratio, asked, other = item["ratio"], item["asked"], item["baseline_value"]
        table.add_row(
            item["name"],
            f"{item['value']:,.4g}",
            f"{other:,.4g}" if other is not None else "–",
            item["unit"],
            f"{ratio:.2f}" if ratio is not None else "–",
            f"{asked:g}" if asked is not None else "–",
            f"{item['spread_pct']:.0f} %",
            f"{item['cpu_s']:.1f}",
            f"{item['peak_rss_mb']:.0f}",
        )
    return table


if __name__ == "__main__":
    raise SystemExit(main())
