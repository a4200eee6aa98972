"""``python -m services.notify door``: the webhook door as a process of its own."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3

import structlog

from services.notify.carrier_settings import CarrierSettings
from services.notify.inbound.door import Door
from services.notify.outbound.spool import Spool
from services.runtime import logging, metrics, process
from services.runtime.clock import Clock, SystemClock, TownClock
from services.runtime.errors import WrongSetting
from services.runtime.health import Health
from services.runtime.http import serve
from services.runtime.lockfile import SingleProcess
from services.runtime.settings import load

log = structlog.get_logger()

HOUSEKEEPING_S = 5.0
PRUNE_EVERY = 120


def main() -> None:
    """Run the door until told to end."""
    settings = load(CarrierSettings)
    logging.configure(settings.environment, "door", settings.log_level)
    process.run(lambda stop: run_door(settings, stop))


async def run_door(settings: CarrierSettings, stop: asyncio.Event) -> None:
    """Serve until ``stop``; what was answered with 2xx is on the disk.

    Raises:
        WrongSetting: No auth token or no administrator's token.
    """
    if not settings.tokens:
        raise WrongSetting("MUNICIPIO_TWILIO_AUTH_TOKEN: is required")
    settings.require_admin_token()
    path = settings.data_dir / "door.sqlite"
    with SingleProcess(path):
        spool, health = Spool(path), Health("door")
        door = Door(settings, spool, _clock(settings), health, metrics.REGISTRY)
        host, port = settings.address_of("door")
        house = asyncio.create_task(keep_house(spool, health))
        try:
            await serve(door.http, host, port, stop)
        finally:
            house.cancel()
            await spool.close()


async def keep_house(spool: Spool, health: Health) -> None:
    """Look after the spool for ever. Only what can be written to is alive, for writing is all it is for."""
    for rounds in itertools.count():
        try:
            await spool.probe()
            if rounds % PRUNE_EVERY == 0:
                await spool.prune()
            health.beat("spool")
        except sqlite3.Error as err:  # no beat: the process is replaced if this goes on
            health.fail("spool", f"cannot be written: {type(err).__name__}")
            log.warning("door.spool_failed", error=type(err).__name__)
        else:
            health.clear("spool")
        await asyncio.sleep(HOUSEKEEPING_S)


def _clock(settings: CarrierSettings) -> Clock:
    """Return the town's clock where there is one; the door has no database whose clock it could ask."""
    if settings.town_clock_file is None:
        return SystemClock()
    if settings.is_production:
        raise WrongSetting("MUNICIPIO_TOWN_CLOCK_FILE: a town clock is refused in production")
    return TownClock(settings.town_clock_file)
