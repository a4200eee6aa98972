"""The exact words of messages, each once, under the hash of what they are."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify.domain import names
from services.notify.tables import body
from services.runtime.database import insert_into


async def keep(
    conn: AsyncConnection, municipality: str, text: str, language: str, *, voice: bool = False
) -> str:
    """Keep the words and return their id; ones that were changed behind our back become true again."""
    body_id = names.body_id(language, voice, text)
    row = {
        "municipality": municipality,
        "body_id": body_id,
        "text": text,
        "language": language,
        "voice": voice,
    }
    if (await conn.execute(insert_into(conn, body).values(row).on_conflict_do_nothing())).rowcount == 0:
        b = body.c
        changed = (b.municipality == municipality) & (b.body_id == body_id) & (b.text != text)
        await conn.execute(sa.update(body).where(changed).values(text=text))
    return body_id


async def texts(conn: AsyncConnection, municipality: str, body_ids: Sequence[str]) -> dict[str, str]:
    """Return the words as they stand in the table now, by id."""
    b = body.c
    wanted = sa.select(b.body_id, b.text).where(b.municipality == municipality, b.body_id.in_(body_ids))
    return dict([tuple(row) for row in await conn.execute(wanted)])
