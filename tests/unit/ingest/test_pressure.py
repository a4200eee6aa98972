"""What is full behind the door closes it: 503 with Retry-After, nothing stored, the consumer paused."""

import httpx
import pytest
import sqlalchemy as sa

from schemas.topics import READINGS_EXTERNAL
from services.ingest.app import App
from services.ingest.errors import DoorClosed
from services.ingest.inbound.pressure import Pressure
from services.ingest.outbound.tables import PACK
from services.runtime.records import Record
from tests.unit.ingest.test_http_readings import GOOD, app, door, key, post

__all__ = ["app", "door", "key"]
MIB = 1024 * 1024


def limited(app: App, free_bytes: int = 10**12, **most: int) -> None:
    settings = app.settings.model_copy(update=most)
    app.pressure = Pressure(app.db, settings, lambda: app.group.busy, lambda _folder: free_bytes)


async def stored(app: App) -> int:
    async with app.db.reading() as conn:
        return (await conn.execute(sa.select(sa.func.count()).select_from(PACK))).scalar_one()


async def test_too_much_that_waits_for_the_broker_closes_the_door_until_it_has_left(app, door, key) -> None:
    """The door opens by itself when the broker took it."""
    limited(app, ingest_unpublished_most=1)
    assert 202 == (await post(door, key, GOOD)).status_code
    await app.pressure.measure()

    refused = await post(door, key, GOOD | {"value": 3.0})
    assert (503, "2") == (refused.status_code, refused.headers["retry-after"])
    assert "readings_unpublished" in refused.json()["detail"]
    assert 1 == await stored(app)

    await app.relay.drain()
    await app.pressure.measure()
    assert 202 == (await post(door, key, GOOD | {"value": 3.0})).status_code


async def test_a_disk_that_is_nearly_full_closes_the_door_and_leaves_room_for_reports(app, door, key) -> None:
    limited(app, free_bytes=7 * MIB, ingest_disk_free_mib=8)
    await app.pressure.measure()

    assert 503 == (await post(door, key, GOOD)).status_code
    report = {"category": "inundacion", "text": "agua en la calle", "municipality": "alta"}
    assert 503 != (await door.post("/v1/reports", json=report)).status_code


async def test_the_consumer_of_outsiders_waits_meanwhile(app) -> None:
    """Retriable: nothing is acknowledged, the batch is read again."""
    limited(app, free_bytes=0)
    await app.pressure.measure()
    with pytest.raises(DoorClosed):
        await app.consume(READINGS_EXTERNAL.name, [Record(READINGS_EXTERNAL.name, 0, 0, None, b"{}", ())])


async def test_status_shows_which_bounds_are_reached(app, door: httpx.AsyncClient) -> None:
    limited(app, free_bytes=MIB)
    await app.pressure.measure()
    reached = {each["name"] for each in app.pressure.bounds() if each["is_met"]}
    assert {"disk_reserve"} == reached
