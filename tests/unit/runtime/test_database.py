"""Transactions: what is kept, what is not, and what "later" means."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.runtime.database import Database, after_commit
from services.runtime.errors import AlreadyRunning, DatabaseBusy, DatabaseDown, Retriable
from services.runtime.inbox import Inbox
from services.runtime.lockfile import SingleProcess
from services.runtime.tables import RuntimeTables
from tests.unit.runtime.conftest import START


async def _count(db: Database, table: sa.Table) -> int:
    async with db.reading() as conn:
        return (await conn.execute(sa.select(sa.func.count()).select_from(table))).scalar_one()


async def test_an_error_in_the_handler_keeps_nothing(db: Database, tables: RuntimeTables) -> None:
    """Either the whole transaction stays or none of it."""
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the transaction is what is tried
        async with db.transaction() as conn:
            await Inbox(tables).first_time(conn, "ejemplo", "triage", "e1", START)
            raise ZeroDivisionError
    assert await _count(db, tables.inbox) == 0


async def test_after_commit_runs_only_once_committed(db: Database) -> None:
    """A wake-up for something that was rolled back wakes nobody, and the same is asked for once."""
    rung: list[str] = []
    async with db.transaction() as conn:
        assert after_commit(conn, "bell", lambda: rung.append("first"))
        assert not after_commit(conn, "bell", lambda: rung.append("second"))
        assert rung == []
    assert rung == ["first"]
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the transaction is what is tried
        async with db.transaction() as conn:
            after_commit(conn, "bell", lambda: rung.append("never"))
            raise ZeroDivisionError
    assert rung == ["first"]


async def test_reading_cannot_write(db: Database, tables: RuntimeTables) -> None:
    """The database itself refuses, not a convention."""
    with pytest.raises(sa.exc.DBAPIError):
        async with db.reading() as conn:
            await Inbox(tables).first_time(conn, "ejemplo", "triage", "e1", START)


async def test_moments_come_back_as_utc_whatever_their_offset(db: Database, tables: RuntimeTables) -> None:
    """A time of 12:15.5 at UTC-3 is 15:15.5 UTC; a naive one is refused."""
    local = datetime(2024, 5, 2, 12, 15, 0, 500_000, timezone(timedelta(hours=-3)))
    async with db.transaction() as conn:
        await Inbox(tables).first_time(conn, "ejemplo", "triage", "e1", local)
    async with db.reading() as conn:
        read = (await conn.execute(sa.select(tables.inbox.c.at))).scalar_one()
    assert read == local
    assert read.utcoffset() == timedelta(0)
    with pytest.raises(sa.exc.StatementError, match="naive"):
        async with db.transaction() as conn:
            await Inbox(tables).first_time(conn, "ejemplo", "triage", "e2", datetime(2024, 5, 2))  # noqa: DTZ001


async def test_writers_of_one_process_wait_for_one_another(db: Database, tables: RuntimeTables) -> None:
    """Twenty at once lose nothing and none is told that the database is busy."""

    async def mark(number: int) -> None:
        async with db.transaction() as conn:
            await Inbox(tables).first_time(conn, "ejemplo", "triage", f"e{number}", START)
            await asyncio.sleep(0)

    await asyncio.gather(*(mark(number) for number in range(20)))
    assert await _count(db, tables.inbox) == 20


async def test_a_transaction_inside_a_transaction_is_a_bug_not_a_hang(db: Database) -> None:
    """It would wait for itself; afterwards the database works as before, also for tasks begun inside."""
    async with db.transaction():
        with pytest.raises(RuntimeError, match="hand the connection on"):
            async with db.transaction():
                pass
    async with db.transaction() as conn:
        assert (await conn.execute(sa.text("SELECT 1"))).scalar_one() == 1


async def test_an_event_is_new_once_per_consumer_and_town(db: Database, tables: RuntimeTables) -> None:
    """Two towns may use the same ids, and two consumers see the same event."""
    inbox = Inbox(tables)
    async with db.transaction() as conn:
        assert await inbox.first_time(conn, "ejemplo", "triage", "e1", START)
        assert not await inbox.first_time(conn, "ejemplo", "triage", "e1", START)
        assert await inbox.first_time(conn, "ejemplo", "audit", "e1", START)
        assert await inbox.first_time(conn, "vecino", "triage", "e1", START)


async def test_no_server_is_a_matter_of_later() -> None:
    """A refused connection is retriable, never a crash."""
    db = Database("postgresql://nobody:x@127.0.0.1:1/none", schema="s")
    with pytest.raises(DatabaseDown):
        async with db.transaction():
            pass
    assert DatabaseDown.retriable
    await db.close()


async def test_a_second_sqlite_writer_is_told_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process that holds the lock for too long is a matter of later."""
    monkeypatch.setattr("services.runtime.engines.BUSY_TIMEOUT_MS", 50)
    one, other = (Database(f"sqlite:///{tmp_path}/town.sqlite") for _ in range(2))
    async with one.transaction():
        with pytest.raises(DatabaseBusy):
            async with other.transaction():
                pass
    await one.close()
    await other.close()


async def test_sqlite_keeps_what_it_commits(tmp_path: Path) -> None:
    """WAL and synchronous=FULL (2): a committed reading survives a power cut."""
    db = Database(f"sqlite:///{tmp_path}/town.sqlite")
    async with db.transaction() as conn:
        said = [
            (await conn.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        ]
    assert said == ["wal", 2, 10_000, 1]
    await db.close()


def test_a_second_process_on_the_same_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """The first one keeps the file until it ends."""
    path = tmp_path / "triage.sqlite"
    with (
        SingleProcess(path),
        pytest.raises(AlreadyRunning, match="SQLite serves one process per service") as told,
    ):
        SingleProcess(path).__enter__()
    assert "\n" not in str(told.value)
    assert "triage.sqlite" in str(told.value)
    with SingleProcess(path):
        pass


def test_other_databases_are_refused_by_name() -> None:
    """MySQL is not spoken here."""
    with pytest.raises(ValueError, match="mysql"):
        Database("mysql://x/y")


@pytest.mark.smoke
async def test_a_stopped_server_is_later_and_then_works(postgres_own, metadata, tables) -> None:
    """Stopped, killed and started again: retriable meanwhile, fine afterwards, nothing lost."""
    db = Database(postgres_own.url, schema="public")
    await db.create_all(metadata)
    inbox = Inbox(tables)
    for stop in (postgres_own.stop, postgres_own.kill):
        async with db.transaction() as conn:
            await inbox.first_time(conn, "ejemplo", "triage", stop.__name__, START)
        await asyncio.to_thread(stop)
        with pytest.raises(Retriable):
            async with db.transaction() as conn:
                await inbox.first_time(conn, "ejemplo", "triage", "lost", START)
        await asyncio.to_thread(postgres_own.start)
        async with db.transaction() as conn:
            assert not await inbox.first_time(conn, "ejemplo", "triage", stop.__name__, START)
    assert await db.clock() > datetime(2025, 1, 1, tzinfo=UTC)
    await db.close()


@pytest.mark.smoke
async def test_a_connection_cut_inside_a_transaction_is_later(postgres_own) -> None:
    """The server ends the session in the middle: retriable, not a bug."""
    from tests.support.postgres import run_sql

    db = Database(postgres_own.url, schema="public")
    with pytest.raises(Retriable):  # noqa: PT012 - the transaction is what is tried
        async with db.transaction() as conn:
            await conn.execute(sa.text("SELECT 1"))
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            await run_sql(postgres_own.url, others)
            await conn.execute(sa.text("SELECT 1"))
    async with db.transaction() as conn:
        assert (await conn.execute(sa.text("SELECT 1"))).scalar_one() == 1
    await db.close()
