"""A task that is cancelled inside a transaction lets go of the database at once."""

import asyncio

import sqlalchemy as sa

from services.runtime.database import Database


async def test_a_cancelled_transaction_leaves_no_lock_behind(tmp_path):
    """Ending a service cancels its loops; what they still have to write must not wait for a dead lock."""
    db = Database(f"sqlite:///{tmp_path}/town.sqlite")
    async with db.transaction() as conn:
        await conn.execute(sa.text("CREATE TABLE reading (n INTEGER)"))

    async def write():
        while True:
            async with db.transaction() as conn:
                await conn.execute(sa.text("INSERT INTO reading VALUES (1)"))
                await conn.execute(sa.text("SELECT n FROM reading LIMIT 1"))

    for moment in range(40):
        task = asyncio.create_task(write())
        await asyncio.sleep(moment * 0.0005)
        task.cancel()
        await asyncio.wait([task])
        async with asyncio.timeout(5), db.transaction() as conn:
            await conn.execute(sa.text("INSERT INTO reading VALUES (2)"))
    await db.close()
