"""Go back to where the read model ends, whenever the broker would go on further down."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from services.console.settings import SERVICE
from services.runtime.consumer import Consumer
from services.runtime.database import Database
from services.runtime.errors import Retriable
from services.runtime.positions import Place, Positions, behind

log = structlog.get_logger()

LOOK_EVERY_S: Final = 2.0


class Following:
    """Compares what the consumers will read next with what the read model holds.

    A batch that comes too far down is refused by ``Positions`` itself; this is for topics on which nothing
    new comes.
    """

    def __init__(self, db: Database, positions: Positions) -> None:
        self._db = db
        self._positions = positions
        self._before: dict[Place, int] = {}
        self.consumers: Sequence[Consumer] = ()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            try:
                await self.look()
            except Retriable as err:
                log.warning("console.positions_not_read", reason=str(err))
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Move consumers back that stood ahead of the read model at two looks, without a batch in between."""
        held = await self._held()
        ahead: dict[Place, int] = {}
        for consumer in self.consumers:
            places = {
                place: held.get(place, 0)
                for place, (position, _) in (await consumer.positions()).items()
                if position > held.get(place, 0)
            }
            ahead |= places
            stuck = {place: at for place, at in places.items() if self._before.get(place) == at}
            if stuck:
                log.info("console.read_again", service=SERVICE, partitions=len(stuck))
                consumer.read_from(stuck)
        self._before = ahead

    async def behind(self) -> dict[str, int]:
        """Return, per topic, how many records the read model lacks; -1 where nobody can say."""
        held = await self._held()
        found: dict[str, int] = {}
        for consumer in self.consumers:
            ends = {place: end for place, (_, end) in (await consumer.positions()).items()}
            found[consumer.topic] = behind(held, ends) if ends else -1
        return found

    async def _held(self) -> dict[Place, int]:
        async with self._db.reading() as conn:
            return await self._positions.held(conn)
