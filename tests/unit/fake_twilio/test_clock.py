"""The carrier's three clocks, and the loop that plays its agenda."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.fake_twilio import CarrierSettings, FakeCarrier, HandClock, RealClock, TownFileClock
from tests.support.fake_twilio.agenda import Agenda
from tests.support.fake_twilio.checks import message_order
from tests.support.fake_twilio.clock import POLL_S
from tests.unit.fake_twilio.conftest import ANA, SENDER, Door, Now


def write(path: Path, town: datetime, rate: float) -> None:
    now = datetime.now(UTC)
    path.write_text(json.dumps({"base_town": town.isoformat(), "base_real": now.timestamp(), "rate": rate}))


def test_town_clock_runs_at_its_rate(tmp_path: Path) -> None:
    """A day at rate 60,000 is a second and a half; the clock looks at its file in between."""
    write(tmp_path / "clock.json", datetime(2026, 5, 4, tzinfo=UTC), 60_000)
    clock = TownFileClock(tmp_path / "clock.json")
    day_s = 86_400.0
    wait_s = clock.real_wait_s(clock.elapsed_s() + day_s) or 0.0
    assert 0 < wait_s <= POLL_S
    write(tmp_path / "clock.json", datetime(2026, 5, 4, tzinfo=UTC), 0)
    assert clock.real_wait_s(clock.elapsed_s() + 1) == POLL_S


def test_town_that_jumps_makes_things_due(tmp_path: Path) -> None:
    """A jump forward counts, a jump back to last year does not."""
    path = tmp_path / "clock.json"
    write(path, datetime(2026, 5, 4, tzinfo=UTC), 0)
    clock = TownFileClock(path)
    assert clock.elapsed_s() == 0
    write(path, datetime(2026, 5, 4, 0, 15, tzinfo=UTC), 0)
    assert clock.elapsed_s() == 900
    write(path, datetime(2024, 5, 1, tzinfo=UTC), 0)
    assert clock.elapsed_s() == 900


def test_missing_town_clock_is_the_real_one(tmp_path: Path) -> None:
    """Without its file the clock goes on at the real pace."""
    clock = TownFileClock(tmp_path / "absent.json")
    assert clock.real_wait_s(clock.elapsed_s() - 1) == 0.0


def test_hand_clock_never_goes_back(now: Now) -> None:
    """Setting the town back makes nothing due and takes nothing away."""
    clock = HandClock(now)
    now.pass_s(10)
    assert clock.elapsed_s() == 10
    now.now -= timedelta(days=365)
    assert clock.elapsed_s() == 10


async def test_running_agenda_keeps_times_and_survives_a_broken_deed() -> None:
    """Deeds are played in order of their time; one that raises stops nobody."""
    agenda, done = Agenda(RealClock()), []

    async def note(word: str) -> None:
        done.append(word)

    async def broken() -> None:
        raise RuntimeError("on purpose")

    playing = asyncio.create_task(agenda.run())
    agenda.after(0.02, lambda: note("late"))
    agenda.after(0.01, broken)
    agenda.after(0, lambda: note("early"))
    async with asyncio.timeout(5):
        while len(done) < 2:
            await asyncio.sleep(0)
    playing.cancel()
    assert done == ["early", "late"]


async def test_deed_that_waits_is_seen_and_not_busy(tmp_path: Path) -> None:
    """While a call talks under a town clock that stands still, its next word is due and nothing is busy."""
    path = tmp_path / "clock.json"
    write(path, datetime(2026, 5, 4, tzinfo=UTC), 0)
    agenda, done = Agenda(TownFileClock(path)), []

    async def talk() -> None:
        await agenda.wait(30)
        done.append("said")

    agenda.after(0, talk)
    playing = asyncio.create_task(agenda.run())
    async with asyncio.timeout(5):
        while agenda.next_due_s() != 30:
            await asyncio.sleep(0.001)
        assert (agenda.busy(), done) == (0, [])
        write(path, datetime(2026, 5, 4, 0, 1, tzinfo=UTC), 0)
        while not done:
            await asyncio.sleep(0.001)
    playing.cancel()


async def test_carrier_says_when_something_will_happen(now: Now, door: Door) -> None:
    """A story asks when the next thing is due and steps to it."""
    carrier = FakeCarrier(CarrierSettings(deliver_s=3), clock=HandClock(now), poster=door)
    assert carrier.due_in_s() is None
    carrier.texting.accept(message_order({"To": [ANA], "From": [SENDER], "Body": ["x"]}))
    assert carrier.due_in_s() == 0
    await carrier.settle()
    assert carrier.due_in_s() == 3
