"""The process of ingest: doors, consumer, relay and housekeeping, or the relay alone."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from pathlib import Path

import structlog

from services.ingest.app import SERVICE, App, ready
from services.ingest.handlers.on_reading_published import TOPIC
from services.ingest.inbound.consuming import TOPICS
from services.ingest.inbound.pressure import MEASURE_EVERY_S
from services.ingest.outbound.catalogue import read_catalogue
from services.ingest.settings import IngestSettings
from services.runtime import logging, process
from services.runtime.clock import DatabaseClock, clock_for
from services.runtime.database import Database
from services.runtime.errors import Retriable, WrongSetting
from services.runtime.figures import EVERY_S as FIGURES_EVERY_S
from services.runtime.http import serve
from services.runtime.kafka import connect_forever, kafka_broker, subscribe
from services.runtime.lockfile import SingleProcess
from services.runtime.settings import load
from services.runtime.slot import slot_held
from services.runtime.timers import make_scheduler

log = structlog.get_logger()

FORGET_EVERY_S = 600
LOOK_AT_DISK_EVERY_S = 60
CLOCK_EVERY_S = 5


async def service(settings: IngestSettings, stop: asyncio.Event) -> None:
    """Run doors, consumer, relay and housekeeping until told to stop."""
    async with _app(settings) as app:
        # The door opens before the database is there: a source then hears 503 and keeps its readings.
        host, port = settings.address_of(SERVICE)
        door = asyncio.create_task(serve(app.http, host, port, stop))
        try:
            # Shielded: at the end the door closes by itself and answers what is in work.
            await process.together(stop, asyncio.shield(door), _work(app))
        finally:
            await door
            await app.group.drained()


async def relay(settings: IngestSettings, stop: asyncio.Event) -> None:
    """Run the relay alone, beside services that were told ``MUNICIPIO_RELAY=outside``."""
    if settings.relay == "inside":
        raise WrongSetting("MUNICIPIO_RELAY: must be outside where the relay runs alone")
    async with _app(settings) as app:
        await process.together(stop, _relay_alone(app))


async def _work(app: App) -> None:
    await ready(app)
    parts = [_consume(app)]
    if app.settings.relay == "inside":
        parts.append(app.relay.run())
    async with slot_held(app.db, SERVICE, app.settings.slot):
        with _scheduled(app):
            await _all(parts)


async def _relay_alone(app: App) -> None:
    await ready(app)
    with _scheduled(app, forgets=False):
        await app.relay.run()


async def _consume(app: App) -> None:
    broker = kafka_broker(app.settings, SERVICE)
    consumers = [
        subscribe(
            broker,
            topic,
            service=SERVICE,
            slot=app.settings.slot,
            handle=functools.partial(app.consume, topic),
            health=app.health,
        )
        for topic in (TOPIC, *TOPICS)
    ]
    # The doors take readings and reports also where Kafka was never reached.
    watches = [consumer.watch(is_needed=False) for consumer in consumers]
    try:
        await _all([connect_forever(broker, asyncio.Event()), *watches])
    finally:
        with contextlib.suppress(Exception):
            await broker.stop()


@contextlib.contextmanager
def _scheduled(app: App, *, forgets: bool = True) -> Iterator[None]:
    scheduler = make_scheduler()
    jobs: list[tuple[Callable[[], Awaitable[object]], int]] = []
    if forgets:
        jobs.append((app.retention.enforce, FORGET_EVERY_S))
        jobs.append((app.pressure.measure, MEASURE_EVERY_S))
        jobs.append((app.disk.look, LOOK_AT_DISK_EVERY_S))
        jobs.append((app.figures.measure, FIGURES_EVERY_S))
    if isinstance(app.clock, DatabaseClock):
        jobs.append((app.clock.refresh, CLOCK_EVERY_S))
    for job, every_s in jobs:
        scheduler.add_job(_later_if_busy, "interval", [job], seconds=every_s, max_instances=1, coalesce=True)
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)


async def _later_if_busy(job: Callable[[], Awaitable[object]]) -> None:
    try:
        await job()
    except Retriable as err:
        log.warning("ingest.job_postponed", reason=str(err))


async def _all(parts: Sequence[Coroutine[None, None, None]]) -> None:
    """Run parts side by side; the first failure ends all and is what the process dies of."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for part in parts:
                tasks.create_task(part)
    except ExceptionGroup as group:
        raise group.exceptions[0] from group


@contextlib.asynccontextmanager
async def _app(settings: IngestSettings) -> AsyncIterator[App]:
    catalogue = read_catalogue(settings)
    db = Database(settings.database_url_of(SERVICE), schema=SERVICE)
    with contextlib.ExitStack() as stack:
        if db.dialect == "sqlite":
            if settings.relay == "outside":
                raise WrongSetting("MUNICIPIO_RELAY: SQLite serves one process, so the relay must be inside")
            stack.enter_context(SingleProcess(Path(db.url.database or SERVICE)))
        try:
            yield App(settings, db=db, clock=clock_for(settings, db), catalogue=catalogue)
        finally:
            await db.close()


def main(arguments: list[str]) -> None:
    """Start what the arguments ask for and end the process with its exit status."""
    settings = load(IngestSettings)
    logging.configure(settings.environment, SERVICE, settings.log_level)
    parts = {(): service, ("relay",): relay}
    part = parts.get(tuple(arguments))
    if part is None:
        sys.stderr.write("usage: python -m services.ingest [relay]\n")
        raise SystemExit(2)
    process.run(lambda stop: part(settings, stop))
