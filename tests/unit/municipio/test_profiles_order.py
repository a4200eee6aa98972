"""A file that stands in order plays as one that had to be sorted."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from municipio.profiles import recorded
from municipio.rows import Findings

START = datetime(2026, 5, 2, 12, 0, tzinfo=UTC)
HEADER = "observed_at,sensor_id,property,value,unit"


def lines(count: int) -> list[str]:
    return [
        f"{(START + timedelta(minutes=at // 3)).isoformat()},rio-{3 - at % 3},river_level,{at / 10},m"
        for at in range(count)
    ]


def played(path: Path, rows: list[str]) -> list[tuple[object, ...]]:
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return [
        (each.at, each.body["sensor_id"], each.body["value"]) for each in recorded([path], None, Findings())
    ]


def test_order_of_the_file_changes_nothing(tmp_path: Path) -> None:
    """What happened at one moment is played in one order, sorted on the disk or not."""
    shuffled = lines(60)
    random.Random(1).shuffle(shuffled)

    assert played(tmp_path / "a.csv", lines(60)) == played(tmp_path / "b.csv", shuffled)


@pytest.mark.parametrize(
    "later",
    [
        pytest.param("2026-05-02 11:00:00+00:00", id="a blank for the T"),
        pytest.param("2026-05-02T12:00:00+09:00", id="another offset"),
        pytest.param("2026-05-02T12:00:00.5+09:00", id="a fraction"),
    ],
)
def test_times_written_in_two_ways_are_sorted(tmp_path: Path, later: str) -> None:
    """The order of texts is the order of times only where they are written alike."""
    rows = [*lines(3), f"{later},rio-9,river_level,9,m"]

    assert sorted(played(tmp_path / "a.csv", rows)) == played(tmp_path / "a.csv", rows)
