"""When Europe changes its clocks, and what becomes of timers."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.chaos.r15 import AUTUMN, SPRING, Firing, Verdict, change_of_time, judged, settings_of_the_clock


def test_clocks_change_on_the_last_sunday() -> None:
    """At 01:00 UTC, whatever weekday the month ends with."""
    assert change_of_time(2026, SPRING) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert change_of_time(2026, AUTUMN) == datetime(2026, 10, 25, 1, tzinfo=UTC)
    assert change_of_time(2027, AUTUMN) == datetime(2027, 10, 31, 1, tzinfo=UTC)


def test_the_clock_is_right_again_at_the_end() -> None:
    """An hour forth and back, a second twice, both changes of time, and no trace of it."""
    stages = settings_of_the_clock(datetime(2026, 7, 1, tzinfo=UTC))
    assert stages[:5] == [3600.0, 0.0, -3600.0, 0.0, -1.0]
    assert stages[-1] == 0.0
    assert 0 < stages[5] < stages[6]


def test_missed_twice_early_and_late() -> None:
    """A timer that never fired, one that fired twice, one too soon, and the latest of all."""
    due_s = {"a": 10.0, "b": 11.0, "c": 12.0, "d": 13.0}
    fired = [Firing("a", 0.2, 10.2), Firing("a", 0.3, 10.3), Firing("b", 0.0, 10.5), Firing("c", 0.1, 14.5)]
    assert judged(due_s, fired) == Verdict(missed=1, double=1, early=1, late_s=2.5)


def test_lateness_that_only_the_database_sees_counts() -> None:
    """Whichever clock says more."""
    assert judged({"a": 10.0}, [Firing("a", 3600.0, 10.1)]).late_s == 3600.0
