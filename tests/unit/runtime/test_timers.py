"""Due times are rows: a restart or a second replica loses nothing and fires nothing twice."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from unittest.mock import Mock

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.clock import HandClock
from services.runtime.database import Database
from services.runtime.errors import DatabaseBusy, DatabaseDown, Retriable
from services.runtime.inbox import Inbox
from services.runtime.tables import RuntimeTables, runtime_tables
from services.runtime.timers import A_TURN, Timer, Timers
from tests.support.postgres import fresh_database
from tests.unit.runtime.conftest import START

MINUTE = timedelta(minutes=1)


@pytest.fixture
def timers(db: Database, tables: RuntimeTables, clock: HandClock) -> Timers:
    return Timers(db, tables, clock)


@pytest.fixture
def fired(timers: Timers) -> list[str]:
    names: list[str] = []

    async def on_escalation(_conn: AsyncConnection, timer: Timer) -> None:
        names.append(f"{timer.municipality}/{timer.subject}/{timer.step}")

    timers.on("escalation", on_escalation)
    return names


async def put(db: Database, timers: Timers, subject: str = "w1", town: str = "alta", at=START) -> None:
    async with db.transaction() as conn:
        await timers.set(conn, town, "escalation", subject, "1", at)


async def test_a_timer_fires_once_when_due_and_not_before(db, timers, fired, clock: HandClock) -> None:
    """One microsecond early is early; the same number in another town is another timer."""
    await put(db, timers, at=START + MINUTE)
    await put(db, timers, town="baja", at=START + 2 * MINUTE)
    assert await timers.fire_due(START + MINUTE - timedelta(microseconds=1)) == 0
    clock.set(START + MINUTE)
    assert await timers.fire_due() == 1
    assert await timers.fire_due() == 0
    async with db.reading() as conn:
        assert await timers.next_due(conn) == START + 2 * MINUTE
    assert fired == ["alta/w1/1"]


async def test_most_overdue_first(db, timers, fired) -> None:
    """After an outage they fire in the order in which they were due."""
    for subject, minutes in (("late", 1), ("later", 5), ("latest", 9)):
        await put(db, timers, subject, at=START - minutes * MINUTE)
    await timers.fire_due()
    assert fired == ["alta/latest/1", "alta/later/1", "alta/late/1"]


async def test_setting_again_moves_and_cancelling_forgets(db, timers, fired) -> None:
    """A person who answered is not called; the other steps of other subjects stay."""
    await put(db, timers, at=START)
    await put(db, timers, at=START + MINUTE)
    await put(db, timers, "w2")
    assert await timers.fire_due(START) == 1
    async with db.transaction() as conn:
        assert await timers.cancel(conn, "baja", None, "w1") == 0
        assert await timers.cancel(conn, "alta", "escalation", "w1", "9") == 0
        assert await timers.cancel(conn, "alta", None, "w1") == 1
    assert await timers.fire_due(START + MINUTE) == 0
    assert fired == ["alta/w2/1"]


async def test_a_timer_may_set_itself_again(db, timers) -> None:
    """A renewal sets the next one in the transaction that fired it."""
    times = []

    async def on_renewal(conn: AsyncConnection, timer: Timer) -> None:
        times.append(timer.due_at)
        await timers.set(
            conn, timer.municipality, timer.kind, timer.subject, timer.step, timer.due_at + MINUTE
        )

    timers.on("renewal", on_renewal)
    async with db.transaction() as conn:
        await timers.set(conn, "alta", "renewal", "w1", "1", START)
    for _ in range(3):
        await timers.fire_due(START + MINUTE)
    assert times == [START, START + MINUTE]


async def test_a_handler_that_fails_keeps_its_timer_and_stops_no_other(db, tables, timers, fired) -> None:
    """What it wrote is undone; it is tried later and later, and stays overdue for a person to see."""
    is_broken = [True]

    async def on_bad(conn: AsyncConnection, timer: Timer) -> None:
        await Inbox(tables).first_time(conn, timer.municipality, "timer", f"try-{timer.attempts}", START)
        if is_broken:
            raise KeyError("no such person")

    timers.on("bad", on_bad)
    async with db.transaction() as conn:
        await timers.set(conn, "alta", "bad", "w0", "1", START - MINUTE)
    await put(db, timers)
    assert await timers.fire_due(START) == 1
    assert fired == ["alta/w1/1"]
    assert await timers.fire_due(START + timedelta(seconds=1)) == 0
    assert await timers.fire_due(START + timedelta(seconds=2)) == 0, "the second wait is longer"
    async with db.reading() as conn:
        assert await timers.next_due(conn) == START - MINUTE
        assert await timers.overdue(conn) == 1
    is_broken.clear()
    assert await timers.fire_due(START + timedelta(seconds=3)) == 1
    async with db.reading() as conn:
        assert (await conn.execute(sa.select(tables.inbox.c.event_id))).scalars().all() == ["try-2"]


async def test_a_database_that_goes_away_costs_nothing(db, timers) -> None:
    """A busy dependency is no failure of the handler: the timer stays as it is."""
    outcomes = [DatabaseDown("away"), None]

    async def on_page(_conn: AsyncConnection, _timer: Timer) -> None:
        if outcome := outcomes.pop(0):
            raise outcome

    timers.on("page", on_page)
    async with db.transaction() as conn:
        await timers.set(conn, "alta", "page", "w1", "1", START)
    with pytest.raises(DatabaseDown):
        await timers.fire_due(START)
    assert await timers.fire_due(START) == 1


@pytest.fixture
def effects(db: Database, tables: RuntimeTables, timers: Timers) -> Callable[[], Awaitable[list[str]]]:
    """Have due steps leave a mark in the database; return what has marks."""

    async def on_step(conn: AsyncConnection, timer: Timer) -> None:
        assert await Inbox(tables).first_time(conn, timer.municipality, "timer", timer.subject, START)

    async def marked() -> list[str]:
        async with db.reading() as conn:
            return sorted((await conn.execute(sa.select(tables.inbox.c.event_id))).scalars())

    timers.on("step", on_step)
    return marked


async def test_several_share_one_transaction(db, tables, timers, effects, monkeypatch) -> None:
    """A hundred that fall due together must not wait for a hundred turns of the only writer."""
    monkeypatch.setattr("services.runtime.timers.A_TURN_S", 60.0)
    async with db.transaction() as conn:
        for number in range(A_TURN + 1):
            await timers.set(conn, "alta", "step", f"w{number}", "1", START)
    opened = Mock(wraps=db.transaction)
    monkeypatch.setattr(db, "transaction", opened)
    assert await timers.fire_due(START) == A_TURN + 1
    assert len(await effects()) == A_TURN + 1
    assert opened.call_count == 2


async def test_a_turn_ends_when_it_takes_too_long(db, timers, monkeypatch) -> None:
    """The consumers' batches must not wait for fifty slow handlers."""
    monkeypatch.setattr("services.runtime.timers.A_TURN_S", 0.0)

    async def on_slow(_conn: AsyncConnection, _timer: Timer) -> None:
        await asyncio.sleep(0.001)

    timers.on("slow", on_slow)
    async with db.transaction() as conn:
        for number in range(3):
            await timers.set(conn, "alta", "slow", f"w{number}", "1", START)
    opened = Mock(wraps=db.transaction)
    monkeypatch.setattr(db, "transaction", opened)
    assert await timers.fire_due(START) == 3
    assert opened.call_count == 3


async def test_what_an_earlier_one_cancelled_or_moved_does_not_fire(db, timers, effects) -> None:
    """An answer that one timer finds stops what was due at the same moment about the same question."""

    async def on_first(conn: AsyncConnection, _timer: Timer) -> None:
        await timers.cancel(conn, "alta", "step", "cancelled")
        await timers.set(conn, "alta", "step", "moved", "1", START + MINUTE)

    timers.on("first", on_first)
    async with db.transaction() as conn:
        await timers.set(conn, "alta", "first", "w", "1", START - MINUTE)
        for subject in ("cancelled", "moved", "stays"):
            await timers.set(conn, "alta", "step", subject, "1", START)
    assert await timers.fire_due(START) == 2
    assert await effects() == ["stays"]
    assert await timers.fire_due(START + MINUTE) == 1
    assert await effects() == ["moved", "stays"]


async def test_a_death_in_mid_turn_undoes_all_of_it(db, timers, effects) -> None:
    """Effects and ends of timers are one commit, so those that had fired fire again, and only then count."""

    async def on_death(_conn: AsyncConnection, timer: Timer) -> None:
        if deaths:
            raise deaths.pop()

    deaths = [asyncio.CancelledError()]
    timers.on("death", on_death)
    async with db.transaction() as conn:
        await timers.set(conn, "alta", "step", "before", "1", START - MINUTE)
        await timers.set(conn, "alta", "death", "w", "1", START)
    with pytest.raises(asyncio.CancelledError):
        await timers.fire_due(START)
    assert await effects() == []
    assert await timers.fire_due(START) == 2
    assert await effects() == ["before"]


async def test_two_that_lock_each_other_out_go_on_one_by_one(db, timers, effects) -> None:
    """A turn that the database breaks off is taken again in the smallest steps; only those may fail."""

    async def on_busy(_conn: AsyncConnection, _timer: Timer) -> None:
        if outcome := outcomes.pop(0):
            raise outcome

    outcomes = [DatabaseBusy("deadlock"), DatabaseBusy("deadlock"), None]
    timers.on("busy", on_busy)
    async with db.transaction() as conn:
        await timers.set(conn, "alta", "step", "before", "1", START - MINUTE)
        await timers.set(conn, "alta", "busy", "w", "1", START)
    with pytest.raises(DatabaseBusy):
        await timers.fire_due(START)
    assert await effects() == ["before"]
    assert await timers.fire_due(START) == 1


Failures = st.lists(
    st.lists(st.sampled_from((KeyError, DatabaseBusy, DatabaseDown)), max_size=3), min_size=1, max_size=8
)


@settings(max_examples=30, deadline=None)
@given(failures=Failures)
def test_whatever_fails_each_takes_effect_once(failures: list[list[type[Exception]]]) -> None:
    """Each handler writes its effect before it fails so often; at the end each effect stands once."""
    asyncio.run(_played(failures))


async def _played(failures: list[list[type[Exception]]]) -> None:
    metadata = sa.MetaData()
    tables = runtime_tables(metadata)
    with tempfile.TemporaryDirectory() as folder:
        db = Database(f"sqlite:///{folder}/timers.sqlite")
        await db.create_all(metadata)
        timers, left = Timers(db, tables, HandClock(START)), [list(each) for each in failures]

        async def on_step(conn: AsyncConnection, timer: Timer) -> None:
            assert await Inbox(tables).first_time(conn, timer.municipality, "timer", timer.subject, START)
            if ahead := left[int(timer.subject)]:
                raise ahead.pop()("once more")

        timers.on("step", on_step)
        async with db.transaction() as conn:
            for number in range(len(failures)):
                await timers.set(conn, "alta", "step", str(number), "1", START)
        for minute in range(3 * len(failures) + 4):
            with contextlib.suppress(Retriable):
                await timers.fire_due(START + minute * MINUTE)
        async with db.reading() as conn:
            marked = (await conn.execute(sa.select(tables.inbox.c.event_id))).scalars().all()
            assert await timers.next_due(conn) is None
        await db.close()
    assert sorted(map(int, marked)) == list(range(len(failures)))


async def test_a_kind_nobody_handles_waits(db, timers, fired) -> None:
    """A newer release's timer survives an older process."""
    async with db.transaction() as conn:
        await timers.set(conn, "alta", "of_tomorrow", "w1", "1", START)
    assert await timers.fire_due(START) == 0
    async with db.reading() as conn:
        assert await timers.next_due(conn) == START


def test_a_kind_has_one_handler(timers, fired) -> None:
    """Two would mean that a registration was copied."""
    with pytest.raises(ValueError, match="escalation"):
        timers.on("escalation", None)


@pytest.mark.smoke
async def test_replicas_fire_each_timer_exactly_once(postgres, metadata, tables, clock) -> None:
    """Four replicas on PostgreSQL, 200 timers, some cancelled while they fire: one effect each."""
    async with fresh_database(postgres) as url:
        replicas = [Database(url, schema="public") for _ in range(4)]
        await replicas[0].create_all(metadata)
        counts: Counter[str] = Counter()

        async def on_escalation(conn: AsyncConnection, timer: Timer) -> None:
            assert await Inbox(tables).first_time(conn, timer.municipality, "timer", timer.subject, START)
            await asyncio.sleep(0)
            counts[timer.subject] += 1

        every = [Timers(db, tables, clock) for db in replicas]
        for each in every:
            each.on("escalation", on_escalation)
        async with replicas[0].transaction() as conn:
            for number in range(200):
                await every[0].set(conn, "alta", "escalation", f"w{number}", "1", START)
        fired = await asyncio.gather(*(each.fire_due(START) for each in every))
        assert sum(fired) == 200
        assert set(counts.values()) == {1}
        assert min(fired) > 0, "all replicas took part"
        for each in replicas:
            await each.close()
