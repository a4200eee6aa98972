"""Every process's HTTP door on one town, with a database of its own each and no broker behind."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import SecretStr
from starlette.routing import BaseRoute

from municipio.keyring import make_keys
from schemas.municipality import load_all
from services.console.app import App as Console
from services.console.settings import ConsoleSettings
from services.ingest.app import App as Ingest
from services.ingest.outbound.catalogue import read_catalogue
from services.ingest.settings import IngestSettings
from services.notify.app import App as Notify
from services.notify.carrier_settings import CarrierSettings
from services.notify.inbound.door import Door
from services.notify.outbound.spool import Spool
from services.notify.settings import NotifySettings
from services.runtime.clock import HandClock
from services.runtime.database import Database
from services.runtime.health import Health
from services.triage.app import App as Triage
from services.triage.settings import TriageSettings
from tests.support.pipe import Pipe
from tests.support.towns import write_town

TOWN = "alta"
ADMIN = "contract-admin-token"
WITH_DATABASE = ("ingest", "triage", "notify", "console")


@asynccontextmanager
async def opened(
    folder: Path, databases: Mapping[str, str] | None = None
) -> AsyncIterator[dict[str, FastAPI]]:
    """Open every door, by process; ``databases``: each service's own, without it SQLite files."""
    write_town(folder / "towns", TOWN, zones=1, residents_per_zone=1)
    make_keys(folder / "keys", folder / "towns")
    towns = load_all(folder / "towns", keys_dir=folder / "keys")
    told: dict[str, Any] = {
        "data_dir": folder,
        "keys_dir": folder / "keys",
        "municipalities_dir": folder / "towns",
        "admin_token": SecretStr(ADMIN),
        "twilio_auth_token": SecretStr("a" * 32),
        "public_url": "https://door.example",
        "phone_key": SecretStr(base64.b64encode(b"k" * 32).decode()),
    }
    clock = HandClock(datetime(2026, 5, 5, 8, 0, tzinfo=UTC))
    async with AsyncExitStack() as stack:
        given: dict[str, dict[str, Any]] = {}
        for service in WITH_DATABASE:
            url = (databases or {}).get(service, f"sqlite:///{folder}/{service}.sqlite")
            db = Database(url, schema=service)
            stack.push_async_callback(db.close)
            await db.migrate(service)
            given[service] = {"db": db, "clock": clock}
        spool = Spool(folder / "door.sqlite")
        stack.push_async_callback(spool.close)
        settings = IngestSettings(**told)
        yield {
            "ingest": Ingest(
                settings, catalogue=read_catalogue(settings), publisher=Pipe(), **given["ingest"]
            ).http,
            "triage": Triage(TriageSettings(**told), municipalities=towns, **given["triage"]).http,
            "notify": Notify(NotifySettings(**told), municipalities=towns, **given["notify"]).http,
            "console": Console(ConsoleSettings(**told), municipalities=towns, **given["console"]).http,
            "door": Door(CarrierSettings(**told), spool, clock, Health("door")).http,
        }


def client(http: FastAPI) -> httpx.AsyncClient:
    """Return a client who may do everything that a token allows."""
    transport = httpx.ASGITransport(http, raise_app_exceptions=False)
    return httpx.AsyncClient(
        transport=transport, base_url="http://door", headers={"Authorization": f"Bearer {ADMIN}"}
    )


def routes(http: FastAPI) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return method, path and names of query parameters of every route."""
    found = [
        (method, route.path, tuple(field.alias for field in route.dependant.query_params))
        for route in _walked(http.routes)
        for method in sorted(route.methods - {"HEAD"})
    ]
    described = {
        (method.upper(), path) for path, methods in http.openapi()["paths"].items() for method in methods
    }
    assert described <= {(method, path) for method, path, _ in found}
    return found


def _walked(found: Sequence[BaseRoute]) -> Iterator[APIRoute]:
    for route in found:
        if isinstance(route, APIRoute):
            yield route
        elif (included := getattr(route, "original_router", None)) is not None:
            yield from _walked(included.routes)
