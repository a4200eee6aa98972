"""Two owners of one partition are harmless: only the younger epoch writes."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from aiokafka import TopicPartition
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.runtime import fence
from services.runtime.database import Database
from services.runtime.errors import DatabaseDown, Fenced
from services.runtime.fence import Gate, Ownership
from services.runtime.inbox import Inbox
from services.runtime.records import Record
from services.runtime.tables import RuntimeTables, runtime_tables
from tests.unit.runtime.conftest import START

P0 = ("readings", 0)
P1 = ("readings", 1)
TP0 = TopicPartition(*P0)


def record(offset: int, partition: int = 0) -> Record:
    return Record("readings", partition, offset, None, b"{}")


async def handle(
    db: Database, tables: RuntimeTables, owner: Ownership, event_id: str, *records: Record
) -> None:
    async with db.transaction() as conn:
        await owner.advance(conn, records)
        await Inbox(tables).first_time(conn, "ejemplo", "triage", event_id, START)


async def seen(db: Database, tables: RuntimeTables) -> set[str]:
    async with db.reading() as conn:
        return set((await conn.execute(sa.select(tables.inbox.c.event_id))).scalars())


async def offsets(db: Database, tables: RuntimeTables) -> dict[int, int]:
    t = tables.partition
    async with db.reading() as conn:
        return {row.partition: row.next_offset for row in await conn.execute(sa.select(t))}


async def test_a_former_owner_changes_nothing(db: Database, tables) -> None:
    """Its whole transaction is rolled back, not only the offset."""
    former, present = Ownership(db, tables, "triage-0"), Ownership(db, tables, "triage-1")
    await former.take([P0])
    await handle(db, tables, former, "e1", record(4))
    await present.take([P0])
    with pytest.raises(Fenced):
        await handle(db, tables, former, "e2", record(5))
    await handle(db, tables, present, "e3", record(5))
    assert await seen(db, tables) == {"e1", "e3"}
    assert await offsets(db, tables) == {0: 6}


async def test_a_batch_of_two_partitions_needs_both(db: Database, tables) -> None:
    """Losing one of them undoes the batch."""
    owner, thief = Ownership(db, tables, "triage-0"), Ownership(db, tables, "triage-1")
    await owner.take([P0, P1])
    await handle(db, tables, owner, "e1", record(0), record(1), record(7, 1))
    assert await offsets(db, tables) == {0: 2, 1: 8}
    await thief.take([P1])
    with pytest.raises(Fenced):
        await handle(db, tables, owner, "e2", record(2), record(8, 1))
    assert await seen(db, tables) == {"e1"}
    assert await offsets(db, tables) == {0: 2, 1: 8}


async def test_who_was_never_assigned_is_fenced(db: Database, tables) -> None:
    """No epoch, no write."""
    with pytest.raises(Fenced):
        await handle(db, tables, Ownership(db, tables, "triage-0"), "e1", record(0))


async def test_revoking_waits_for_the_batch_in_work(db: Database, tables) -> None:
    """The rejoin starts only after the commit, and the caches are dropped."""
    dropped: list[str] = []
    owner = Ownership(db, tables, "triage-0", lambda: dropped.append("caches"))
    await owner.take([P0])
    dropped.clear()
    await owner.busy.acquire()
    revoking = asyncio.create_task(owner.on_partitions_revoked([TP0]))
    await asyncio.sleep(0)
    assert not owner.ready.is_set()
    assert not revoking.done()
    owner.busy.release()
    await revoking
    assert dropped == ["caches"]
    assert not owner.owns(record(0))


async def test_assignment_opens_the_gate_from_a_task_of_its_own(db: Database, tables) -> None:
    """The callback returns at once: no heartbeat is sent while it runs."""
    owner = Ownership(db, tables, "triage-0")
    await owner.on_partitions_assigned([TP0])
    assert not owner.ready.is_set()
    await asyncio.wait_for(owner.ready.wait(), 5)
    assert owner.owns(record(0))
    assert not owner.owns(record(0, 1))


async def test_taking_is_tried_until_the_database_is_back(db: Database, tables, monkeypatch) -> None:
    """The gate stays closed meanwhile; nothing is handled without an epoch."""
    monkeypatch.setattr(fence, "RETRY_S", 0)
    owner, tries = Ownership(db, tables, "triage-0"), []
    real = owner.take

    async def take(places: list[tuple[str, int]]) -> None:
        tries.append(places)
        if len(tries) < 3:
            raise DatabaseDown("away")
        await real(places)

    monkeypatch.setattr(owner, "take", take)
    await owner.on_partitions_assigned([TP0])
    await asyncio.wait_for(owner.ready.wait(), 5)
    assert len(tries) == 3


async def test_a_fenced_owner_takes_again_if_nobody_revokes(db: Database, tables, monkeypatch) -> None:
    """A late write of a former owner must not close a rightful owner's gate for ever."""
    monkeypatch.setattr(fence, "RETAKE_S", 0)
    owner, late = Ownership(db, tables, "triage-0"), Ownership(db, tables, "triage-1")
    await owner.take([P0])
    await late.take([P0])
    with pytest.raises(Fenced):
        await handle(db, tables, owner, "e1", record(0))
    owner.fenced()
    assert not owner.ready.is_set()
    await asyncio.wait_for(owner.ready.wait(), 5)
    await handle(db, tables, owner, "e1", record(0))


async def test_a_plain_gate_follows_the_assignment() -> None:
    """Topics without state still let a rebalance wait for the batch in work."""
    gate = Gate()
    await gate.on_partitions_assigned([TP0])
    assert gate.ready.is_set()
    assert gate.owns(record(0))
    await gate.on_partitions_revoked([TP0])
    assert not gate.owns(record(0))
    assert gate.turn == 1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["take", "write"])), max_size=30))
def test_only_the_last_taker_writes(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[int, str]]
) -> None:
    """Whatever the order of taking and writing, a write succeeds exactly for who took last."""

    async def play() -> None:
        metadata = sa.MetaData()
        tables = runtime_tables(metadata)
        db = Database(f"sqlite:///{tmp_path_factory.mktemp('fence')}/town.sqlite")
        await db.create_all(metadata)
        owners = [Ownership(db, tables, f"triage-{n}") for n in range(3)]
        last: int | None = None
        for step, (who, move) in enumerate(moves):
            if move == "take":
                await owners[who].take([P0])
                last = who
                continue
            try:
                await handle(db, tables, owners[who], f"e{step}", record(step))
                assert who == last
            except Fenced:
                assert who != last
        await db.close()

    asyncio.run(play())
