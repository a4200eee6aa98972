"""``/admin/v1``: how ingest stands, what it accepted, who is silent, and whether it is at rest."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime

from services.ingest.domain.sensors import Catalogue
from services.ingest.inbound.pressure import Pressure
from services.ingest.outbound import figures, history, quarantine, sources
from services.ingest.outbound.ticks import Ticker, Told, last_tick
from services.runtime.bounds import lags, of_process
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.dead_letter import DeadLetters
from services.runtime.disk import Disk
from services.runtime.health import Health
from services.runtime.http import Problem, RowCursor
from services.runtime.outbox import Outbox
from services.runtime.relay import Relay

TICK_WITHIN_S: Final = 10.0
LOOK_EVERY_S: Final = 0.001
ASK_DATABASE_EVERY_S: Final = 0.005
Limit = Annotated[int, Query(ge=1, le=5000)]


class Watch:
    """What can be asked of a running ingest; it changes nothing but the time of the next tick.

    ``ticker``: Of the relay in this process; None where it runs in another.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        relay: Relay,
        *,
        outbox: Outbox,
        dead_letters: DeadLetters,
        catalogue: Catalogue,
        health: Health,
        ticker: Ticker | None,
        waiting: Callable[[], int],
        pressure: Pressure,
        disk: Disk,
    ) -> None:
        self._db = db
        self._clock = clock
        self._relay = relay
        self._outbox = outbox
        self._dead_letters = dead_letters
        self._catalogue = catalogue
        self._health = health
        self._ticker = ticker
        self._waiting = waiting
        self._pressure = pressure
        self._disk = disk

    async def quiescence(self) -> dict[str, Any]:
        """Say whether anything is under way. Ingest has no timers, so nothing is ever due."""
        unpublished, waiting = await self._relay.unpublished(), self._waiting()
        told = await self._told()
        return {
            "schema": "municipio/quiescence/1",
            "now": self._clock.now().isoformat(),
            "busy": unpublished + waiting,
            "next_due": None,
            "detail": {
                "unpublished": unpublished,
                "waiting": waiting,
                "tick": told.now.isoformat() if told else None,
                "tick_is_binding": told.is_binding if told else False,
            },
        }

    async def tick(self) -> dict[str, Any]:
        """Return once a tick of the present moment was published, behind all readings accepted by then.

        With a clock that stands still, move it by a hair after posting: no moment is ticked twice.

        Raises:
            Problem: 409 when the clock was set back behind the last tick, 503 when the relay does not
                come to it.
        """
        now = self._clock.now()
        until = time.monotonic() + TICK_WITHIN_S
        await self._wake()
        while True:
            told = await self._told()
            if told is not None and now <= told.now <= self._clock.now():
                return {"schema": "municipio/tick/1", "now": told.now.isoformat()}
            if told is not None and told.is_binding and told.now > self._clock.now():
                raise Problem(409, "The clock was set back", f"the rules were already told {told.now}")
            if time.monotonic() > until:
                raise Problem(503, "No tick", "readings wait for the broker, or the relay does not run")
            await asyncio.sleep(LOOK_EVERY_S if self._ticker else ASK_DATABASE_EVERY_S)

    async def _told(self) -> Told | None:
        # A relay in another process leaves word in the database.
        return self._ticker.told if self._ticker else await last_tick(self._db)

    async def _wake(self) -> None:
        if self._ticker:
            self._ticker.ask()
        self._outbox.wake()
        if self._db.dialect == "postgresql":
            async with self._db.transaction() as conn:
                await self._outbox.announce(conn)

    async def accepted(self, municipality: str | None) -> dict[str, Any]:
        """Return count and order-independent hash per sensor of all that was ever accepted."""
        async with self._db.reading() as conn:
            items = await figures.accepted(conn, municipality)
        return {"schema": "municipio/accepted/1", "items": items, "next": None}

    async def readings(
        self, municipality: str, since: datetime, until: datetime, cursor: int, limit: int
    ) -> dict[str, Any]:
        """Return what was received in a span of the town's time, each sensor's in the order accepted."""
        async with self._db.reading() as conn:
            items = await history.accepted_between(
                conn, municipality, since, until, after=cursor, limit=limit
            )
        following = items[-1]["id"] if len(items) == limit else None
        return {"schema": "municipio/readings/1", "items": items, "next": following}

    async def sources(self) -> dict[str, Any]:
        """Return since when each listed sensor is silent, by the town's clock, and who is set apart."""
        now = self._clock.now()
        async with self._db.reading() as conn:
            items = await figures.silence(conn, self._catalogue, now)
            set_apart, muted = await quarantine.summary(conn), await sources.muted(conn)
        return {
            "schema": "municipio/sources/1",
            "now": now.isoformat(),
            "items": items,
            "quarantine": set_apart,
            "muted": muted,
            "next": None,
        }

    async def status(self) -> dict[str, Any]:
        """Return what a person on duty must know of this service."""
        report = self._health.ready()
        async with self._db.reading() as conn:
            ages = await self._outbox.ages(conn)
            oldest = await figures.oldest_reading_s(conn)
            dead = await self._dead_letters.count(conn)
            silent = await figures.silence(conn, self._catalogue, self._clock.now())
            set_apart, muted = await quarantine.summary(conn), await sources.muted(conn)
        warnings = [f"{len(muted)} muted source(s)"] if muted else []
        warnings += [f"{each['kept']} kept apart: {each['reason']}, {each['source']}" for each in set_apart]
        return {
            "schema": "municipio/status/1",
            "ready": report.is_well,
            "troubles": report.troubles,
            "now": self._clock.now().isoformat(),
            "outbox_oldest_s": {
                **{lane.name.lower(): age.total_seconds() for lane, age in ages.items()},
                "readings": oldest,
            },
            "lag": lags(),
            "unpublished": await self._relay.unpublished(),
            "dead_letters": dead,
            "sources": len(silent),
            "sources_silent": [each["sensor_id"] for each in silent if each["is_silent"]],
            "silent_s": {
                f"{each['municipality']}/{each['sensor_id']}": each["age_s"]
                for each in silent
                if each["is_silent"]
            },
            "warnings": warnings,
            "bounds": [*self._pressure.bounds(), *of_process()],
            "disk": self._disk.as_json(),
        }


def status_router(guard: Callable[[Request], Awaitable[None]], watch: Watch) -> APIRouter:
    """Return the routes by which a replay steps, the loss oracle counts and a person looks."""
    router = APIRouter(prefix="/admin/v1", dependencies=[Depends(guard)])
    router.add_api_route("/quiescence", watch.quiescence, methods=["GET"])
    router.add_api_route("/tick", watch.tick, methods=["POST"])
    router.add_api_route("/sources", watch.sources, methods=["GET"])
    router.add_api_route("/status", watch.status, methods=["GET"])

    @router.get("/accepted")
    async def accepted(municipality: str | None = None) -> dict[str, Any]:
        return await watch.accepted(municipality)

    @router.get("/readings")
    async def readings(
        municipality: str,
        since: AwareDatetime,
        until: AwareDatetime,
        cursor: RowCursor = 0,
        limit: Limit = 1000,
    ) -> dict[str, Any]:
        return await watch.readings(municipality, since, until, cursor, limit)

    return router
