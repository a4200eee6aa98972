"""The town's row: locked while stage 2 decides, together with the log of what it decided upon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.bulk import insert_rows, moment_of
from services.runtime.database import after_commit, insert_into
from services.triage.domain.state import STATE_VERSION, TownState, decode_town, encode
from services.triage.errors import BrokenInvariant, UnknownState
from services.triage.tables import input_log, town

_COLUMNS: Final = ("municipality", "seq", "kind", "at", "body")


@dataclass(slots=True)
class LockedTown:
    """A town's state, ours until the transaction ends. ``seq`` is the last input decided."""

    seq: int
    state: TownState


class TownStore:
    """The tables ``town`` and ``input_log``.

    Decoded states are kept in memory and used again only when the row's ``seq`` is still the same. A state
    is changed in place, so it leaves the memory when it is locked and comes back when it is committed.
    """

    def __init__(self) -> None:
        self._known: dict[str, LockedTown] = {}

    async def create(self, conn: AsyncConnection, municipality: str) -> None:
        """Make the town's row if it has none."""
        row = {"municipality": municipality, "seq": 0, "state": encode(TownState(municipality))}
        await conn.execute(insert_into(conn, town).values(row).on_conflict_do_nothing())

    async def lock(self, conn: AsyncConnection, municipality: str) -> LockedTown:
        """Lock the town's row until the transaction ends and return its state."""
        is_it = town.c.municipality == municipality
        seq = (await conn.execute(sa.select(town.c.seq).where(is_it).with_for_update())).scalar_one_or_none()
        if seq is None:
            await self.create(conn, municipality)
            return await self.lock(conn, municipality)
        known = self._known.pop(municipality, None)
        if known is not None and known.seq == seq:
            return known
        raw = (await conn.execute(sa.select(town.c.state).where(is_it))).scalar_one()
        state = decode_town(raw)
        if state.v > STATE_VERSION:
            raise UnknownState(f"town {municipality}: state version {state.v} is newer than this release")
        if state.municipality != municipality:
            raise BrokenInvariant(f"town {municipality}: its row holds the state of {state.municipality}")
        return LockedTown(seq, state)

    async def save(
        self,
        conn: AsyncConnection,
        municipality: str,
        locked: LockedTown,
        inputs: Sequence[tuple[str, datetime, msgspec.Struct]],
    ) -> None:
        """Append what was decided upon, as ``(kind, at, body)``, and write the state that it led to."""
        moment = moment_of(conn)
        rows = [
            (municipality, seq, kind, moment(at.astimezone(UTC)), encode(body))
            for seq, (kind, at, body) in enumerate(inputs, start=locked.seq + 1)
        ]
        await insert_rows(conn, input_log, _COLUMNS, rows)
        locked.seq += len(rows)
        await conn.execute(
            sa.update(town)
            .where(town.c.municipality == municipality)
            .values(seq=locked.seq, state=encode(locked.state))
        )
        after_commit(conn, (self, municipality), lambda: self._known.update({municipality: locked}))

    def forget(self) -> None:
        """Drop what is kept in memory."""
        self._known.clear()

    async def folder_hash(self, conn: AsyncConnection, municipality: str) -> str | None:
        """Return the hash of the folder that was activated last."""
        wanted = sa.select(town.c.folder_hash).where(town.c.municipality == municipality)
        return (await conn.execute(wanted)).scalar_one_or_none()

    async def activate(self, conn: AsyncConnection, municipality: str, folder_hash: str) -> None:
        await conn.execute(
            sa.update(town).where(town.c.municipality == municipality).values(folder_hash=folder_hash)
        )

    async def state(self, conn: AsyncConnection, municipality: str) -> TownState | None:
        """Return the state for showing it, without a lock."""
        raw = (
            await conn.execute(sa.select(town.c.state).where(town.c.municipality == municipality))
        ).scalar_one_or_none()
        return decode_town(raw) if raw is not None else None
