"""Throw the read model away, and say what is in it."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.console.domain.digest import Digest
from services.console.tables import READ_MODEL, runtime
from services.runtime.positions import Positions


async def drop(conn: AsyncConnection, positions: Positions) -> None:
    """Delete all that was read, the marks of what was read, and how far: it is read again from 0.

    Dead letters and the audit stay: they are no copies.
    """
    await positions.forget(conn)  # First: it waits for the batches in work, whose rows then go too.
    for table in (*READ_MODEL, runtime.inbox):
        await conn.execute(sa.delete(table))


async def digests(conn: AsyncConnection, municipality: str) -> dict[str, Digest]:
    """Return count and hash of every collection of a town, every column of every row."""
    found: dict[str, Digest] = {}
    for table in READ_MODEL:
        digest = found[table.name] = Digest()
        rows = await conn.stream(sa.select(table).where(table.c.municipality == municipality))
        async for row in rows.mappings():
            digest.add(dict(row))
    return found
