"""Retention takes small bites until nothing old is left, and waits for a database that is away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from services.runtime.clock import HandClock
from services.runtime.database import Database
from services.runtime.errors import DatabaseDown
from services.runtime.inbox import Inbox
from services.runtime.outbox import Outbox
from services.runtime.retention import Retention, Rule, outbox_rule, refused_rules, rows_of
from services.runtime.tables import RuntimeTables
from tests.unit.runtime.conftest import START, outgoing

DAY = timedelta(days=1)


def retention(db: Database, clock: HandClock, rules: Sequence[Rule], **more: float) -> Retention:
    return Retention(db, rules, town=clock.now, wall=clock.now, **more)


async def marks(db: Database, tables: RuntimeTables, count: int) -> None:
    async with db.transaction() as conn:
        for number in range(count):
            at = START + timedelta(hours=number)
            await Inbox(tables).first_time(conn, "ejemplo", "triage", f"e{number}", at)


async def left(db: Database, table: sa.Table) -> int:
    async with db.reading() as conn:
        return (await conn.execute(sa.select(sa.func.count()).select_from(table))).scalar_one()


async def test_all_that_is_old_goes_however_many_bites_it_takes(
    db: Database, tables: RuntimeTables, clock: HandClock
) -> None:
    """What is younger than the period stays."""
    await marks(db, tables, 10)
    clock.set(START + DAY + timedelta(hours=7))
    rule = Rule("inbox", DAY, rows_of(tables.inbox, tables.inbox.c.at))

    assert await retention(db, clock, [rule], bite=2).enforce() == 7
    assert await left(db, tables.inbox) == 3


async def test_a_round_ends_at_its_time_and_the_next_goes_on(
    db: Database, tables: RuntimeTables, clock: HandClock
) -> None:
    """A table that grew for a year is not emptied in one breath."""
    await marks(db, tables, 6)
    clock.set(START + 3 * DAY)
    job = retention(
        db, clock, [Rule("inbox", DAY, rows_of(tables.inbox, tables.inbox.c.at))], bite=2, within_s=0
    )

    assert [await job.enforce() for _ in range(4)] == [2, 2, 2, 0]


async def test_what_was_not_published_never_goes(
    db: Database, tables: RuntimeTables, clock: HandClock, outbox: Outbox
) -> None:
    """However old it is: the broker may have been away for a month."""
    async with db.transaction() as conn:
        await outbox.add(conn, "ejemplo", [outgoing("e-1"), outgoing("e-2")])
        pending = await outbox.pending(conn, 1, frozenset())
        await outbox.mark(conn, pending, clock.now())
    clock.set(START + 30 * DAY)

    assert await retention(db, clock, [outbox_rule(tables, 48)]).enforce() == 1
    assert await left(db, tables.outbox) == 1


async def test_what_is_parked_stays_until_a_person_was_shown_it(
    db: Database, tables: RuntimeTables, clock: HandClock
) -> None:
    """Then it stays for a month more."""
    row = {"municipality": "ejemplo", "waits_for": "i-1", "topic": "decisions", "partition": 0, "offset": 1}
    row |= {"headers": b"[]", "value": b"", "parked_at": START, "due_at": START}
    async with db.transaction() as conn:
        shown = [{"event_id": "shown", "shown_at": START}, {"event_id": "waits", "shown_at": None}]
        await conn.execute(sa.insert(tables.parked), [row | each for each in shown])
    clock.set(START + 31 * DAY)

    assert await retention(db, clock, refused_rules(tables, 365)).enforce() == 1
    assert await left(db, tables.parked) == 1


async def test_a_database_that_is_away_postpones_and_the_other_tables_go_on(
    db: Database, tables: RuntimeTables, clock: HandClock
) -> None:
    """The job must neither end its process nor leave the rest undone."""

    async def away(_db: Database, _before: datetime, _limit: int) -> int:
        raise DatabaseDown("away")

    await marks(db, tables, 2)
    clock.set(START + 3 * DAY)
    rules = [Rule("other", DAY, away), Rule("inbox", DAY, rows_of(tables.inbox, tables.inbox.c.at))]
    assert await retention(db, clock, rules).enforce() == 2
