"""The machine's clock may be set while we run; what is done every quarter of a second goes on."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta, tzinfo

import apscheduler.schedulers.base
import pytest

from services.runtime.timers import make_scheduler


class _Machine:
    """The machine's clock, which a test sets."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self._real = time.time

    def time(self) -> float:
        return self._real() + self.ahead_s

    def now(self, zone: tzinfo | None = None) -> datetime:
        return datetime.fromtimestamp(self.time(), UTC).astimezone(zone)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> _Machine:
    told = _Machine()
    monkeypatch.setattr("services.runtime.steady_scheduler.time.time", told.time)
    monkeypatch.setattr(apscheduler.schedulers.base, "datetime", told)
    return told


@pytest.mark.parametrize("hours", [pytest.param(-1, id="set back"), pytest.param(1, id="set forward")])
async def test_rounds_go_on_when_the_clock_is_set(machine: _Machine, hours: int) -> None:
    """An hour back or forth: the next rounds come as before, neither never nor all at once."""
    rounds: list[float] = []

    async def round_() -> None:
        rounds.append(time.monotonic())

    scheduler = make_scheduler()
    scheduler.add_job(
        round_, "interval", seconds=0.1, max_instances=1, coalesce=True, misfire_grace_time=None
    )
    scheduler.start()
    try:
        await asyncio.sleep(0.55)
        before = len(rounds)
        machine.ahead_s = timedelta(hours=hours).total_seconds()
        await asyncio.sleep(0.55)
    finally:
        scheduler.shutdown(wait=False)
    assert 2 <= before <= 7
    assert 2 <= len(rounds) - before <= 7
