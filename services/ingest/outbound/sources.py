"""How the sources on ``readings.external`` behave, and which of them are muted."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.domain.muting import Conduct
from services.ingest.outbound.tables import SOURCE
from services.runtime.database import insert_into


async def conduct_of(conn: AsyncConnection, municipality: str, source: str) -> Conduct | None:
    """Return how a source behaves, held until the end of the transaction; None for one without blame."""
    t = SOURCE
    wanted = sa.select(t).where(t.c.municipality == municipality, t.c.source == source).with_for_update()
    row = (await conn.execute(wanted)).mappings().first()
    return None if row is None else Conduct(row["window_at"], row["poison"], row["muted_at"])


async def put_conduct(conn: AsyncConnection, municipality: str, source: str, conduct: Conduct) -> None:
    row = {"window_at": conduct.window_at, "poison": conduct.poison, "muted_at": conduct.muted_at}
    statement = insert_into(conn, SOURCE).values(municipality=municipality, source=source, **row)
    await conn.execute(statement.on_conflict_do_update(index_elements=["municipality", "source"], set_=row))


async def muted(conn: AsyncConnection) -> list[dict[str, Any]]:
    """Return every muted source, with since when."""
    t = SOURCE
    wanted = sa.select(t).where(t.c.muted_at.is_not(None)).order_by(t.c.municipality, t.c.source)
    return [
        {"municipality": r["municipality"], "source": r["source"], "muted_at": r["muted_at"].isoformat()}
        for r in (await conn.execute(wanted)).mappings()
    ]


async def unmute(conn: AsyncConnection, municipality: str, source: str) -> bool:
    """Take a source in again; say whether it was known."""
    t = SOURCE
    same = (t.c.municipality == municipality) & (t.c.source == source)
    done = await conn.execute(sa.update(t).where(same).values(muted_at=None, poison=0))
    return done.rowcount == 1
