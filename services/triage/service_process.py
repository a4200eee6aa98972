"""The process of triage, or of its relay alone."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NoReturn

from schemas.municipality import FolderErrors
from services.runtime.clock import clock_for, keep_right
from services.runtime.database import Database
from services.runtime.errors import WrongSetting
from services.runtime.figures import EVERY_S as FIGURES_EVERY_S
from services.runtime.http import serve
from services.runtime.kafka import connect_forever, kafka_broker, kafka_publisher
from services.runtime.lockfile import SingleProcess
from services.runtime.logging import configure
from services.runtime.process import run, together
from services.runtime.relay import relay_alone
from services.runtime.settings import load
from services.runtime.slot import slot_held
from services.runtime.timers import make_scheduler
from services.triage.app import App
from services.triage.inbound.subscriptions import subscriptions
from services.triage.settings import SERVICE, TriageSettings

FORGET_EVERY_S = 600


def main(words: list[str]) -> NoReturn:
    settings = load(TriageSettings)
    configure(settings.environment, SERVICE)
    only_relay = words == ["relay"]
    if words and not only_relay:
        sys.exit("usage: python -m services.triage [relay]")
    run(lambda stop: _relay(settings, stop) if only_relay else _serve(settings, stop))


async def _serve(settings: TriageSettings, stop: asyncio.Event) -> None:
    async with _database(settings) as db:
        app = _app(settings, db)
        await app.start()
        broker, up = kafka_broker(settings, SERVICE), asyncio.Event()
        consumers = subscriptions(broker, app)
        scheduler = make_scheduler()
        app.timers.start(scheduler)
        scheduler.add_job(
            app.retention.enforce, "interval", seconds=FORGET_EVERY_S, max_instances=1, coalesce=True
        )
        scheduler.add_job(app.figures.measure, "interval", seconds=FIGURES_EVERY_S, max_instances=1)
        scheduler.start()
        parts = [keep_right(app.clock), *(each.watch() for each in consumers)]
        if settings.relay == "inside":
            parts.append(app.relay.run())
        connecting = asyncio.create_task(connect_forever(broker, up))
        serving = asyncio.create_task(_door(app, stop))
        try:
            await together(stop, *parts)
            await serving
        finally:
            connecting.cancel()
            scheduler.shutdown(wait=False)
            with contextlib.suppress(Exception):
                await broker.stop()


async def _door(app: App, stop: asyncio.Event) -> None:
    """Serve until told to stop, then let requests in work end; a door that cannot open ends the process."""
    try:
        await serve(app.http, *app.settings.address_of(SERVICE), stop)
    finally:
        stop.set()


async def _relay(settings: TriageSettings, stop: asyncio.Event) -> None:
    async with _database(settings, alone=False) as db:
        await together(stop, relay_alone(_app(settings, db).relay, db, SERVICE))


def _app(settings: TriageSettings, db: Database) -> App:
    try:
        return App(
            settings,
            db=db,
            clock=clock_for(settings, db),
            make_publisher=lambda: kafka_publisher(settings, f"{SERVICE}-relay-{settings.slot}"),
        )
    except FolderErrors as err:
        raise WrongSetting(f"MUNICIPIO_MUNICIPALITIES_DIR: {err.errors[0]}") from None


@contextlib.asynccontextmanager
async def _database(settings: TriageSettings, *, alone: bool = True) -> AsyncIterator[Database]:
    db = Database(settings.database_url_of(SERVICE), schema=SERVICE)
    async with contextlib.AsyncExitStack() as held:
        if db.dialect == "sqlite" and alone:
            held.enter_context(SingleProcess(Path(db.url.database or SERVICE)))
        held.push_async_callback(db.close)
        if alone:
            await held.enter_async_context(slot_held(db, SERVICE, settings.slot))
        yield db
