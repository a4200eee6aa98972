"""Days until the disk is full: from what was seen, or nothing."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from services.runtime import metrics
from services.runtime.disk import Disk, Look, days_until_full, look_at

GIB = 1024**3
DAY_S = 86_400.0


@pytest.mark.parametrize(
    ("last", "days"),
    [
        (Look(DAY_S, 2 * GIB, 10 * GIB), 10.0),
        (Look(DAY_S / 2, 2 * GIB, 10 * GIB), 5.0),
        (Look(DAY_S, GIB, 10 * GIB), None),
        (Look(DAY_S, GIB // 2, 10 * GIB), None),
        (Look(300, 2 * GIB, 10 * GIB), None),
    ],
    ids=["a gibibyte a day", "twice as fast", "nothing grows", "it shrinks", "too short to say"],
)
def test_days_follow_from_growth_and_room(last: Look, days: float | None) -> None:
    """Unknown is nothing, never a number."""
    assert days_until_full(Look(0, GIB, 11 * GIB), last) == days


async def test_the_first_look_says_what_is_free_and_nothing_of_days(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(100_000))
    disk = Disk(tmp_path)
    assert disk.as_json() == {"free_bytes": None, "used_bytes": None, "days_until_full": None}
    await disk.look()
    said = disk.as_json()
    assert said["used_bytes"] >= 100_000
    assert said["free_bytes"] > 0
    assert said["days_until_full"] is None


async def test_a_day_of_looks_is_remembered_and_no_more(tmp_path: Path) -> None:
    """Growth of long ago says nothing of today; metrics tell the days, too."""
    looks = iter([Look(0, 0, 10 * GIB), *(Look(60 * n, GIB, 10 * GIB) for n in range(1, 1441))])
    disk = Disk(tmp_path, look=lambda _folder: next(looks))
    for _ in range(1440):
        await disk.look()
    assert disk.days_until_full == pytest.approx(10 * 1439 * 60 / DAY_S)
    await disk.look()
    assert disk.days_until_full is None
    assert math.isnan(metrics.DISK_DAYS.collect()[0].samples[0].value)


def test_holes_in_files_take_no_room(tmp_path: Path) -> None:
    """The broker's index files are mostly holes."""
    with (tmp_path / "sparse").open("wb") as sparse:
        sparse.truncate(50_000_000)
    assert look_at(tmp_path).used_bytes < 1_000_000


def test_a_folder_that_is_not_there_yet_is_looked_at_where_it_will_be(tmp_path: Path) -> None:
    seen = look_at(tmp_path / "not" / "yet")
    assert (seen.used_bytes, seen.free_bytes > 0) == (0, True)
