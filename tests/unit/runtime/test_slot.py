"""A number of a service is one live process's, also when connections are cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from services.runtime import slot
from services.runtime.database import Database
from services.runtime.errors import AlreadyRunning
from services.runtime.slot import slot_held
from tests.support.postgres import PostgresCluster, fresh_database, run_sql

pytestmark = pytest.mark.smoke


@pytest.fixture
async def server(postgres: PostgresCluster) -> AsyncIterator[str]:
    async with fresh_database(postgres) as url:
        yield url


async def test_a_second_process_of_the_same_number_is_refused_in_one_sentence(server: str) -> None:
    """Another number, and another service, are welcome; the number is free again at once."""
    db = Database(server)
    async with slot_held(db, "triage", 0):
        with pytest.raises(AlreadyRunning, match="already is triage number 0"):
            async with slot_held(db, "triage", 0, within_s=0.3):
                pytest.fail("two live processes share a membership")
        async with slot_held(db, "triage", 1), slot_held(db, "notify", 0):
            pass
    async with slot_held(db, "triage", 0, within_s=1):
        pass
    await db.close()


async def test_the_number_is_taken_again_when_connections_were_cut(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then another may take it; whoever lost it to another ends."""
    monkeypatch.setattr(slot, "LOOK_EVERY_S", 0.05)
    db, crashes = Database(server), []
    ours = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    held = f"SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND {ours}"
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND {ours}"
    async with asyncio.timeout(60), slot_held(db, "triage", 0, within_s=0.3, crash=crashes.append):
        await run_sql(server, cut)
        while not await run_sql(server, held):
            await asyncio.sleep(0.05)
        assert crashes == []
        monkeypatch.setattr(slot, "LOOK_EVERY_S", 5)
        await asyncio.sleep(0.5)
        await run_sql(server, cut)
        async with slot_held(db, "triage", 0, within_s=3):
            while not crashes:
                await asyncio.sleep(0.05)
    assert "already is triage number 0" in crashes[0]
    await db.close()


async def test_on_sqlite_the_file_is_the_lock(tmp_path) -> None:
    """Nothing to take there: a second process never comes so far."""
    db = Database(f"sqlite:///{tmp_path}/town.sqlite")
    async with slot_held(db, "triage", 0), slot_held(db, "triage", 0):
        pass
    await db.close()


async def test_a_machine_that_vanishes_is_missed_in_half_a_minute(server: str) -> None:
    """Its locks and its slot would stay taken for two hours by the server's own settings."""
    db = Database(server)
    held = slot._Slot(db, "triage", 0)
    await held.take(1)
    assert held._connection is not None
    silent_s = 0
    for name, times in (("idle", 1), ("interval", 3)):
        for_locks = int(await held._connection.fetchval(f"SELECT setting FROM {_setting(name)}"))
        async with db.reading() as conn:
            shown = (await conn.execute(sa.text(f"SELECT setting FROM {_setting(name)}"))).scalar_one()
        assert for_locks == int(shown)
        silent_s += times * for_locks
    held.let_go()
    await db.close()
    assert 0 < silent_s <= 30


def _setting(name: str) -> str:
    return f"pg_settings WHERE name = 'tcp_keepalives_{name}'"
