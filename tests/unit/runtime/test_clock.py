"""What time it is: the town's file, the database, the machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime import clock as clock_module
from services.runtime.clock import DatabaseClock, HandClock, SystemClock, TownClock, clock_for
from services.runtime.errors import WrongSetting
from services.runtime.settings import RuntimeSettings
from tests.unit.runtime.conftest import START

SECOND = timedelta(seconds=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "town-clock.json"


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Real seconds, moved by hand."""
    now_s = [1_700_000_000.0]
    monkeypatch.setattr(clock_module.time, "time", lambda: now_s[0])
    return now_s


def test_a_town_clock_that_stands_moves_only_by_hand(path: Path, real: list[float]) -> None:
    """Rate 0: an hour of real time changes nothing."""
    TownClock.write(path, START, rate=0)
    clock = TownClock(path)
    real[0] += 3600
    assert clock.now() == START


@pytest.mark.parametrize(
    ("rate", "town_s"), [(1, 10), (60, 600), (0.5, 5)], ids=["real time", "fast", "slow"]
)
def test_a_town_clock_runs_at_its_rate(path: Path, real: list[float], rate: float, town_s: float) -> None:
    """Ten real seconds."""
    TownClock.write(path, START, rate=rate)
    clock = TownClock(path)
    real[0] += 10
    assert clock.now() == START + timedelta(seconds=town_s)


def test_all_followers_see_a_jump_and_count_it(path: Path) -> None:
    """Also back to 2024: the generation says that it was a jump."""
    clocks = [TownClock(path), TownClock(path)]
    before = [clock.generation for clock in clocks]
    for moment in (START, START - timedelta(days=30)):
        TownClock.write(path, moment, rate=0)
        assert [clock.now() for clock in clocks] == [moment, moment]
    assert [clock.generation - old for clock, old in zip(clocks, before, strict=True)] == [2, 2]


def test_a_restarted_process_reads_the_same_town_time(path: Path) -> None:
    """The file is the clock, not the process."""
    TownClock.write(path, START, rate=0)
    assert TownClock(path).now() == TownClock(path).now() == START


def test_a_broken_file_is_not_followed(path: Path) -> None:
    """Half a file changes nothing; the next whole one does."""
    TownClock.write(path, START, rate=0)
    clock = TownClock(path)
    path.write_text('{"base_town": "2030-')
    assert clock.now() == START
    TownClock.write(path, START + SECOND, rate=0)
    assert clock.now() == START + SECOND


@given(rate=st.one_of(st.floats(max_value=-1e-9), st.floats(min_value=100_001), st.just(float("nan"))))
def test_a_rate_without_sense_is_refused(rate: float) -> None:
    """Time does not run backwards."""
    with pytest.raises(ValueError, match="rate"):
        TownClock.write(Path("/nonexistent/clock"), START, rate=rate)


def test_a_naive_time_is_refused(path: Path) -> None:
    """Nobody knows which 12:00 that is."""
    with pytest.raises(ValueError, match="naive"):
        TownClock.write(path, datetime(2024, 5, 2))  # noqa: DTZ001


def test_the_machines_clock_is_utc() -> None:
    """Aware, and about now."""
    assert abs(SystemClock().now() - datetime.now(UTC)) < 5 * SECOND


class _SaysTime:
    """A database that says what it is told to say."""

    def __init__(self) -> None:
        self.said: datetime | None = None

    async def clock(self) -> datetime | None:
        return self.said


async def test_the_database_clock_follows_the_database_not_the_machine(monkeypatch) -> None:
    """A step of the machine's clock changes nothing; one of the database's is a jump."""
    monotonic_s = [50.0]
    monkeypatch.setattr(clock_module.time, "monotonic", lambda: monotonic_s[0])
    db = _SaysTime()
    clock = DatabaseClock(db)
    db.said = START
    await clock.refresh()
    assert clock.now() == START
    jumps = clock.generation
    monotonic_s[0] += 2
    db.said = START + timedelta(seconds=2.001)
    await clock.refresh()
    assert clock.now() == db.said
    assert clock.generation == jumps
    db.said = START + timedelta(hours=1)
    await clock.refresh()
    assert clock.generation == jumps + 1
    assert clock.stepped_s == pytest.approx(3600 - 2.001)


def test_a_town_clock_is_refused_in_production(path: Path, monkeypatch) -> None:
    """Nobody moves the time of a real emergency."""
    monkeypatch.setenv("MUNICIPIO_TOWN_CLOCK_FILE", str(path))
    assert isinstance(clock_for(RuntimeSettings(), _SaysTime()), TownClock)
    with pytest.raises(WrongSetting, match="MUNICIPIO_TOWN_CLOCK_FILE"):
        clock_for(RuntimeSettings(environment="production"), _SaysTime())


def test_without_a_file_the_clock_is_a_real_one() -> None:
    """The database's in production, the machine's elsewhere."""
    assert isinstance(clock_for(RuntimeSettings(), _SaysTime()), SystemClock)
    assert isinstance(clock_for(RuntimeSettings(environment="production"), _SaysTime()), DatabaseClock)


def test_a_hand_clock_counts_its_moves() -> None:
    """Tests tell a jump from running on, as services do."""
    clock = HandClock(START)
    clock.wait(SECOND)
    assert (clock.now(), clock.generation) == (START + SECOND, 1)


def test_looking_at_the_town_clock_is_cheap(path: Path) -> None:
    """It is asked for every message: well under a tenth of a millisecond."""
    TownClock.write(path, START, rate=1)
    clock = TownClock(path)
    began = time.perf_counter()
    for _ in range(1000):
        clock.now()
    assert time.perf_counter() - began < 0.1
