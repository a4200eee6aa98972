"""Statements of the writer run where they are asked for; what may wait does not hold the loop up."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.runtime.database import Database
from services.runtime.direct_sqlite import connect
from services.runtime.errors import DatabaseBusy

NOTES = sa.Table("note", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))


async def test_statements_change_no_thread_and_commits_do(tmp_path: Path) -> None:
    """A commit waits for the disk; the loop must turn meanwhile."""
    connection = await connect(str(tmp_path / "direct.sqlite"), isolation_level=None)
    asked: list[tuple[str, bool]] = []
    here = threading.get_ident()
    connection._conn.set_trace_callback(lambda sql: asked.append((sql, threading.get_ident() == here)))
    cursor = await connection.cursor()
    for sql in ("CREATE TABLE note (id)", "BEGIN IMMEDIATE", "INSERT INTO note VALUES (1)"):
        await cursor.execute(sql)
    await cursor.executemany("INSERT INTO note VALUES (?)", [(2,)])
    await connection.commit()
    await connection.close()
    assert asked == [
        ("CREATE TABLE note (id)", True),
        ("BEGIN IMMEDIATE", False),
        ("INSERT INTO note VALUES (1)", True),
        ("INSERT INTO note VALUES (2)", False),
        ("COMMIT", False),
    ]


async def test_a_lock_that_another_process_holds_lets_the_loop_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten seconds of waiting must not look like a hung process."""
    monkeypatch.setattr("services.runtime.engines.BUSY_TIMEOUT_MS", 200)
    db = Database(f"sqlite:///{tmp_path / 'held.sqlite'}")
    await db.create_all(NOTES.metadata)
    other = sqlite3.connect(tmp_path / "held.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    turns = 0

    async def turning() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)
            turns += 1

    task = asyncio.create_task(turning())
    with pytest.raises(DatabaseBusy):
        async with db.transaction() as conn:
            await conn.execute(sa.insert(NOTES).values(id=1))
    assert turns > 3
    other.execute("ROLLBACK")
    async with db.transaction() as conn:
        await conn.execute(sa.insert(NOTES).values(id=1))
    task.cancel()
    other.close()
    await db.close()
