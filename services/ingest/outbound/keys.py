"""The keys of sources, and the nonces that their signatures have used up."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.domain.keys import ApiKey, KeyName
from services.ingest.domain.sensors import Scope
from services.ingest.outbound.tables import API_KEY, NONCE
from services.runtime.database import insert_into


async def add(conn: AsyncConnection, municipality: str, key: ApiKey) -> None:
    await conn.execute(
        sa.insert(API_KEY).values(
            municipality=municipality,
            key_id=key.name.key_id,
            digest=key.digest,
            sensors=list(key.scope.patterns),
            network=key.scope.network,
            reports=key.scope.reports,
            label=key.label,
            may_sign=key.may_sign,
            created_at=key.created_at,
            expires_at=key.expires_at,
        )
    )


async def find(conn: AsyncConnection, municipality: str, key_id: str) -> ApiKey | None:
    t = API_KEY
    wanted = sa.select(t).where(t.c.municipality == municipality, t.c.key_id == key_id)
    row = (await conn.execute(wanted)).mappings().first()
    return None if row is None else _key(row)


async def of_town(conn: AsyncConnection, municipality: str) -> list[ApiKey]:
    t = API_KEY
    wanted = sa.select(t).where(t.c.municipality == municipality).order_by(t.c.created_at, t.c.key_id)
    return [_key(row) for row in (await conn.execute(wanted)).mappings()]


async def revoke(conn: AsyncConnection, municipality: str, key_id: str, at: datetime) -> bool:
    """Close the key for good; say whether there is such a key. The first revocation's time stays."""
    t = API_KEY
    same = (t.c.municipality == municipality) & (t.c.key_id == key_id)
    done = await conn.execute(
        sa.update(t)
        .where(same)
        .values(revoked_at=sa.func.coalesce(t.c.revoked_at, sa.literal(at, t.c.revoked_at.type)))
    )
    return done.rowcount == 1


async def use_nonce(conn: AsyncConnection, municipality: str, key_id: str, nonce: str, at: datetime) -> bool:
    """Use up a nonce; say whether it was unused."""
    row = {"municipality": municipality, "key_id": key_id, "nonce": nonce, "seen_at": at}
    done = await conn.execute(insert_into(conn, NONCE).values(row).on_conflict_do_nothing())
    return done.rowcount == 1


def _key(row: sa.RowMapping) -> ApiKey:
    return ApiKey(
        name=KeyName(row["municipality"], row["key_id"]),
        digest=bytes(row["digest"]),
        scope=Scope(tuple(row["sensors"]), row["network"], row["reports"]),
        label=row["label"],
        may_sign=row["may_sign"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )
