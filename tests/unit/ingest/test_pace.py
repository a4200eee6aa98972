"""So many at once, so many a minute, per source, in bounded memory."""

from __future__ import annotations

from datetime import timedelta

from services.ingest.domain.pace import Pace
from tests.unit.ingest.conftest import START


def test_source_may_send_so_many_and_then_waits() -> None:
    pace = Pace(3)
    assert [0, 0, 0, 20] == [pace.wait_s("a", START) for _ in range(4)]
    assert 0 == pace.wait_s("b", START)


def test_it_grows_again_with_time_and_never_above_its_measure() -> None:
    pace = Pace(3)
    for _ in range(3):
        pace.wait_s("a", START)
    later = START + timedelta(hours=1)
    assert [0, 0, 0, 20] == [pace.wait_s("a", later) for _ in range(4)]


def test_a_clock_set_back_gives_nothing_away_and_takes_nothing() -> None:
    pace = Pace(1)
    assert 0 == pace.wait_s("a", START)
    assert 60 == pace.wait_s("a", START - timedelta(hours=1))


def test_who_was_quiet_longest_is_forgotten_first() -> None:
    pace = Pace(1, sources_most=2)
    for source in ("a", "b", "c"):
        pace.wait_s(source, START)
    assert 2 == len(pace._buckets)
    assert (60, 0) == (pace.wait_s("c", START), pace.wait_s("a", START))
