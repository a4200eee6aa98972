"""Readings whose topic was wiped travel again, under the numbers that they had."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from schemas.events.readings import SensorMeasured
from services.ingest.app import App
from services.ingest.flows import publishing_again
from services.ingest.flows.acceptance import Delivery
from services.ingest.settings import IngestSettings
from services.runtime.clock import HandClock
from services.runtime.database import Database
from tests.unit.ingest.conftest import CATALOGUE, START, FakePublisher, reading

ADMIN = {"Authorization": "Bearer administrator"}
Sent = list[tuple[str, str, int, float]]


@pytest.fixture
def app(db: Database, clock: HandClock, publisher: FakePublisher, tmp_path: Path) -> App:
    settings = IngestSettings(admin_token=SecretStr("administrator"), data_dir=tmp_path)
    return App(settings, db=db, clock=clock, catalogue=CATALOGUE, publisher=publisher, wall=lambda: START)


def sent(publisher: FakePublisher) -> Sent:
    """Town, sensor, number and value of every reading published, in that order."""
    return [
        (each.envelope.municipality, row["sensor_id"], row["n"], row["value"])
        for each, said in publisher.of_type(SensorMeasured.TYPE)
        for row in said["readings"]
    ]


async def again(app: App, headers: dict[str, str] = ADMIN) -> httpx.Response:
    transport = httpx.ASGITransport(app.http)
    async with httpx.AsyncClient(transport=transport, base_url="http://ingest", headers=headers) as client:
        return await client.post("/admin/v1/republish", params={"topic": "readings"})


async def test_every_kept_reading_leaves_again_and_new_ones_behind(
    app: App, publisher: FakePublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In steps and of both towns; a sensor's readings in the order of their numbers."""
    monkeypatch.setattr(publishing_again, "AT_ONCE", 2)
    for minute in range(3):
        await app.accept(Delivery("alta", "test", (reading(1.5, minute), reading(2.5, minute, "rio-2"))))
    await app.accept(Delivery("baja", "test", (reading(3.5, 1),)))
    await app.relay.drain()
    before = sent(publisher)
    assert len(before) == 7
    answer = await again(app)
    assert (answer.status_code, answer.json()["count"]) == (202, 7)
    await app.accept(Delivery("baja", "test", (reading(4.5, 2),)))
    await app.relay.drain()
    after = sent(publisher)[len(before) :]
    assert sorted([*before, ("baja", "rio-1", 2, 4.5)]) == sorted(after)
    numbers = [n for town, sensor, n, _ in after if (town, sensor) == ("alta", "rio-2")]
    assert [1, 2, 3] == numbers


async def test_only_the_administrator_may_ask(app: App) -> None:
    """It costs everybody who reads the topic."""
    assert (await again(app, headers={})).status_code == 401
