"""The process of the console, or of its relay alone, or what has it read all anew."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Final, NoReturn

import httpx
import structlog

from services.console.app import App
from services.console.inbound.consuming import subscriptions
from services.console.settings import SERVICE, ConsoleSettings
from services.runtime.clock import clock_for, keep_right
from services.runtime.database import Database
from services.runtime.figures import EVERY_S as FIGURES_EVERY_S
from services.runtime.kafka import connect_forever, kafka_broker, kafka_publisher
from services.runtime.logging import configure
from services.runtime.opening import folders_read, own_database, served, started
from services.runtime.process import run, together
from services.runtime.relay import relay_alone
from services.runtime.settings import load
from services.runtime.timers import make_scheduler

log = structlog.get_logger()

FORGET_EVERY_S: Final = 600
ASK_S: Final = 30.0


def main(words: list[str]) -> NoReturn:
    """Run what the first word names."""
    if words not in ([], ["relay"], ["rebuild"]):
        sys.exit("usage: python -m services.console [relay|rebuild]")
    settings = load(ConsoleSettings)
    configure(settings.environment, SERVICE, settings.log_level)
    if words == ["rebuild"]:
        run(lambda _stop: _rebuild(settings))
    run(lambda stop: _relay(settings, stop) if words else _serve(settings, stop))


async def _serve(settings: ConsoleSettings, stop: asyncio.Event) -> None:
    async with own_database(settings, SERVICE) as db:
        app = _app(settings, db)
        await started(app.start, SERVICE)
        broker, up = kafka_broker(settings, SERVICE), asyncio.Event()
        app.following.consumers = consumers = subscriptions(broker, app)
        scheduler = make_scheduler()
        scheduler.add_job(
            app.retention.enforce, "interval", seconds=FORGET_EVERY_S, max_instances=1, coalesce=True
        )
        scheduler.add_job(app.figures.measure, "interval", seconds=FIGURES_EVERY_S, max_instances=1)
        scheduler.start()
        parts = [app.following.run(), keep_right(app.clock), *(each.watch() for each in consumers)]
        if settings.relay == "inside":
            parts.append(app.relay.run())
        connecting = asyncio.create_task(connect_forever(broker, up))
        serving = asyncio.create_task(served(app.http, settings.address_of(SERVICE), stop))
        try:
            await together(stop, *parts)
            await serving
        finally:
            connecting.cancel()
            scheduler.shutdown(wait=False)
            with contextlib.suppress(Exception):
                await broker.stop()


async def _relay(settings: ConsoleSettings, stop: asyncio.Event) -> None:
    async with own_database(settings, SERVICE, alone=False) as db:
        await together(stop, relay_alone(_app(settings, db).relay, db, SERVICE))


async def _rebuild(settings: ConsoleSettings) -> None:
    """Ask the running service; where none runs, drop the tables: it reads all again when it starts."""
    headers = {"Authorization": f"Bearer {settings.require_admin_token()}"}
    async with httpx.AsyncClient(headers=headers, timeout=ASK_S, trust_env=False) as http:
        try:
            answer = await http.post(f"{settings.console_url}/admin/v1/rebuild")
        except httpx.ConnectError:
            await _drop(settings)
            sys.stdout.write("the read model is dropped; the service reads all again when it starts\n")
            return
    answer.raise_for_status()
    sys.stdout.write("the read model is dropped and is being read again\n")


async def _drop(settings: ConsoleSettings) -> None:
    async with own_database(settings, SERVICE) as db:
        app = _app(settings, db)
        await app.start()
        await app.rebuild()


def _app(settings: ConsoleSettings, db: Database) -> App:
    with folders_read():
        return App(
            settings,
            db=db,
            clock=clock_for(settings, db),
            make_publisher=lambda: kafka_publisher(settings, f"{SERVICE}-relay-{settings.slot}"),
        )
