"""The least that can judge an archive: csv, float, the comparisons of the rule. It believes every row."""

from __future__ import annotations

import csv
import json
import sys

from bench.baselines.rule import level_after


def main(path: str) -> None:
    state: dict[str, tuple[int, float]] = {}
    start, readings, changes = (0, float("-inf")), 0, 0
    with open(path, newline="") as file:
        rows = csv.reader(file)
        next(rows)
        for _at, gauge, _property, cell, _unit in rows:
            value = float(cell)
            level, before = state.get(gauge, start)
            after = level_after(level, before, value)
            state[gauge] = (after, value)
            readings += 1
            if after != level:
                changes += 1
    sys.stdout.write(json.dumps({"readings": readings, "changes": changes}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
