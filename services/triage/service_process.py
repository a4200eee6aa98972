"""The process of triage, or of its relay alone."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import NoReturn

from services.runtime.clock import clock_for, keep_right
from services.runtime.database import Database
from services.runtime.figures import EVERY_S as FIGURES_EVERY_S
from services.runtime.kafka import connect_forever, kafka_broker, kafka_publisher
from services.runtime.logging import configure
from services.runtime.opening import folders_read, own_database, served
from services.runtime.process import run, together
from services.runtime.relay import relay_alone
from services.runtime.settings import load
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
    async with own_database(settings, SERVICE) as db:
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
        serving = asyncio.create_task(served(app.http, settings.address_of(SERVICE), stop))
        try:
            await together(stop, *parts)
            await serving
        finally:
            connecting.cancel()
            scheduler.shutdown(wait=False)
            with contextlib.suppress(Exception):
                await broker.stop()


async def _relay(settings: TriageSettings, stop: asyncio.Event) -> None:
    async with own_database(settings, SERVICE, alone=False) as db:
        await together(stop, relay_alone(_app(settings, db).relay, db, SERVICE))


def _app(settings: TriageSettings, db: Database) -> App:
    with folders_read():
        return App(
            settings,
            db=db,
            clock=clock_for(settings, db),
            make_publisher=lambda: kafka_publisher(settings, f"{SERVICE}-relay-{settings.slot}"),
        )
