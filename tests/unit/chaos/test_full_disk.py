"""What may be answered while the disk is full, and how a damaged file shows."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.r17 import broken_promises, damaged


def test_a_full_disk_after_which_all_went_on() -> None:
    """What still fits may be taken; the rest is refused with 503 and when to come back."""
    assert broken_promises(Counter({503: 40, 202: 2}), 0, 3.5, set()) == []


@pytest.mark.parametrize(
    ("answered", "bare", "recovered_s", "again", "names"),
    [
        pytest.param({503: 40, 500: 1}, 0, 3.5, set(), "500", id="an internal error"),
        pytest.param({202: 40}, 0, 3.5, set(), "refused nothing", id="it was never full"),
        pytest.param({503: 40}, 2, 3.5, set(), "Retry-After", id="no word on when to come back"),
        pytest.param({503: 40}, 0, None, set(), "in order", id="never whole again"),
        pytest.param({503: 40}, 0, 3.5, {"notify"}, "notify", id="a process died of it"),
    ],
)
def test_a_broken_promise_is_named(
    answered: dict[int, int], bare: int, recovered_s: float | None, again: set[str], names: str
) -> None:
    """One sentence that says what was found."""
    (sentence,) = broken_promises(Counter(answered), bare, recovered_s, again)
    assert names in sentence


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    """A page in the middle was overwritten; the file beside it is whole. No file at all is no good sign."""
    assert damaged(tmp_path) == [f"no SQLite file lies in {tmp_path}"]
    for name in ("good", "bad"):
        with sqlite3.connect(tmp_path / f"{name}.sqlite") as conn:
            conn.execute("CREATE TABLE t (x TEXT)")
            conn.executemany("INSERT INTO t VALUES (?)", [("x" * 500,)] * 200)
        conn.close()
    with (tmp_path / "bad.sqlite").open("r+b") as file:
        file.seek(5 * 4096)
        file.write(b"\xff" * 4096)
    (sentence,) = damaged(tmp_path)
    assert sentence.startswith("bad.sqlite: ")
