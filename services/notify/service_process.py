"""Notify as a process: the service with all its parts, or its relay alone."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Final

import structlog

from services.notify.app import App
from services.notify.inbound.consuming import subscriptions
from services.notify.inbound.spool_pull import SpoolPull, door_client
from services.notify.outbound.carrier import TwilioCarrier
from services.notify.outbound.twilio_http import BoundedTwilioHttp, Reach
from services.notify.settings import SERVICE, NotifySettings
from services.runtime.clock import clock_for, keep_right
from services.runtime.database import Database
from services.runtime.errors import WrongSetting
from services.runtime.figures import EVERY_S as FIGURES_EVERY_S
from services.runtime.http import serve
from services.runtime.kafka import connect_forever, kafka_broker, kafka_publisher
from services.runtime.logging import configure
from services.runtime.opening import folders_read, own_database, started
from services.runtime.process import run, together
from services.runtime.relay import relay_alone
from services.runtime.settings import load
from services.runtime.timers import make_scheduler

log = structlog.get_logger()

FORGET_EVERY_S: Final = 600


def main(words: list[str]) -> None:
    """Run the service, or with the word ``relay`` its relay alone."""
    if words not in ([], ["relay"]):
        sys.exit("usage: python -m services.notify [door|relay]")
    settings = load(NotifySettings)
    configure(settings.environment, SERVICE, settings.log_level)
    run(lambda stop: _relay(settings, stop) if words else _serve(settings, stop))


async def _serve(settings: NotifySettings, stop: asyncio.Event) -> None:
    async with own_database(settings, SERVICE) as db, contextlib.AsyncExitStack() as held:
        app = _app(settings, db)
        await started(app.start, SERVICE)
        carrier = _carrier(settings)
        held.push_async_callback(carrier.close)
        sender = app.send_through(carrier)
        door = door_client(settings.door_url, settings.require_admin_token())
        held.push_async_callback(door.aclose)
        pull = SpoolPull(db, app.cipher, door, app.resolver.town_of, app.resolver.wake)
        app.pull = pull
        broker, up = kafka_broker(settings, SERVICE), asyncio.Event()
        consumers = subscriptions(broker, app)
        scheduler = make_scheduler()
        app.timers.start(scheduler)
        scheduler.add_job(
            app.retention.enforce, "interval", seconds=FORGET_EVERY_S, max_instances=1, coalesce=True
        )
        scheduler.add_job(app.figures.measure, "interval", seconds=FIGURES_EVERY_S, max_instances=1)
        scheduler.start()
        parts = [
            serve(app.http, *settings.address_of(SERVICE), stop),
            sender.run(),
            pull.run(),
            app.resolver.run(),
            *(each.watch() for each in consumers),
            keep_right(app.clock),
        ]
        if settings.relay == "inside":
            parts.append(app.relay.run())
        connecting = asyncio.create_task(connect_forever(broker, up))
        try:
            await together(stop, *parts)
        finally:
            connecting.cancel()
            scheduler.shutdown(wait=False)
            with contextlib.suppress(Exception):
                await broker.stop()


async def _relay(settings: NotifySettings, stop: asyncio.Event) -> None:
    async with own_database(settings, SERVICE, alone=False) as db:
        await together(stop, relay_alone(_app(settings, db).relay, db, SERVICE))


def _carrier(settings: NotifySettings) -> TwilioCarrier:
    if not settings.tokens or not settings.twilio_account_sid:
        raise WrongSetting("MUNICIPIO_TWILIO_ACCOUNT_SID and MUNICIPIO_TWILIO_AUTH_TOKEN: are required")
    reach = Reach(
        production=settings.is_production,
        base=settings.twilio_api_base,
        allow_numbers=settings.allow_numbers,
    )
    http = BoundedTwilioHttp(
        reach,
        base=settings.twilio_api_base,
        total_s=settings.carrier_timeout_s,
        limit=settings.in_flight_max * 2,
    )
    return TwilioCarrier(settings.twilio_account_sid, settings.tokens[0], http, settings.public_url)


def _app(settings: NotifySettings, db: Database) -> App:
    with folders_read():
        return App(
            settings,
            db=db,
            clock=clock_for(settings, db),
            make_publisher=lambda: kafka_publisher(settings, f"{SERVICE}-relay-{settings.slot}"),
        )
