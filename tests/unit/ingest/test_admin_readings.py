"""``GET /admin/v1/readings``: what was accepted, as it was accepted, for the record of a run."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from services.ingest.app import App
from services.ingest.domain.normalise import Reading, normalise
from services.ingest.flows.acceptance import Delivery
from services.ingest.settings import IngestSettings
from services.runtime.clock import HandClock
from services.runtime.database import Database
from tests.unit.ingest.conftest import CATALOGUE, START, FakePublisher

ADMIN = {"Authorization": "Bearer administrator"}
ROUTE = "/admin/v1/readings"
SPAN = {
    "municipality": "alta",
    "since": (START - timedelta(hours=1)).isoformat(),
    "until": (START + timedelta(hours=1)).isoformat(),
}


@pytest.fixture
def app(sqlite_db: Database, clock: HandClock, publisher: FakePublisher, tmp_path: Path) -> App:
    settings = IngestSettings(admin_token=SecretStr("administrator"), data_dir=tmp_path)
    return App(
        settings, db=sqlite_db, clock=clock, catalogue=CATALOGUE, publisher=publisher, wall=lambda: START
    )


def reading(value: float, minutes_ago: int) -> Reading:
    observed_at = (START - timedelta(minutes=minutes_ago)).isoformat()
    said = {"sensor_id": "rio-1", "property": "river_level", "value": value, "unit": "m"}
    read = normalise({**said, "observed_at": observed_at}, START)
    assert isinstance(read, Reading)
    return read


async def asked(app: App, **query: object) -> httpx.Response:
    transport = httpx.ASGITransport(app.http, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
        return await client.get(ROUTE, params={**SPAN, **query}, headers=ADMIN)


async def test_readings_come_page_by_page_in_the_order_accepted(app: App) -> None:
    """The late one behind the younger one; the other town hears nothing."""
    await app.accept(Delivery("alta", "test", (reading(2.5, 1), reading(2.25, 20))))
    first = (await asked(app, limit=1)).json()
    second = (await asked(app, limit=1, cursor=first["next"])).json()
    last = (await asked(app, limit=1, cursor=second["next"])).json()

    assert [(1, 2.5), (2, 2.25)] == [(one["n"], one["value"]) for one in first["items"] + second["items"]]
    assert ([], None) == (last["items"], last["next"])
    assert [] == (await asked(app, municipality="baja")).json()["items"]
    assert [] == (await asked(app, until=SPAN["since"])).json()["items"]


@pytest.mark.parametrize("query", [{"since": "2026-05-02T00:00:00"}, {"limit": 0}, {"cursor": -1}])
async def test_a_question_that_cannot_be_answered_is_422(app: App, query: dict[str, object]) -> None:
    """A time without offset, a page of nothing, a cursor that nobody gave."""
    assert (await asked(app, **query)).status_code == 422


async def test_only_the_administrator_may_ask(app: App) -> None:
    """A town's readings are not for every source."""
    transport = httpx.ASGITransport(app.http, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
        assert (await client.get(ROUTE, params=SPAN)).status_code == 401
