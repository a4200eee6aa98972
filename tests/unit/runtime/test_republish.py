"""A topic that was wiped is fed again from what is kept."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI, Request

from services.runtime import republish
from services.runtime.clock import HandClock
from services.runtime.database import Database
from services.runtime.health import Health
from services.runtime.http import service_app
from services.runtime.lease import Lease
from services.runtime.metrics import REGISTRY
from services.runtime.outbox import Outbox
from services.runtime.relay import Relay
from services.runtime.tables import RuntimeTables
from tests.unit.runtime.conftest import START, outgoing
from tests.unit.runtime.publishers import Broker


async def nobody_asks(_request: Request) -> None:
    """Lets everybody in."""


def door(db: Database, outbox: Outbox, service: str, others: dict[str, republish.Again]) -> FastAPI:
    http = service_app(service, Health(service), REGISTRY)
    http.include_router(republish.republish_router(nobody_asks, db, outbox, service, others))
    return http


async def ask(http: FastAPI, topic: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(http), base_url="http://here") as client:
        return await client.post("/admin/v1/republish", params={"topic": topic})


async def test_what_was_published_leaves_again_in_order(
    db: Database, tables: RuntimeTables, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of that topic alone, however many steps it takes; other topics and the rest of the town go on."""
    monkeypatch.setattr(republish, "AT_ONCE", 2)
    broker = Broker()
    lease = Lease(db, tables, "relay", "testing-0")
    relay = Relay(db, outbox, broker.connect, lease, HandClock(START), Health("testing"))
    names = [f"t{number}" for number in range(5)]
    async with db.transaction() as conn:
        await outbox.add(conn, "ejemplo", [outgoing(name) for name in names])
        await outbox.add(conn, "ejemplo", [outgoing("w1", topic="messages")])
    assert await relay.drain() == 6
    answer = await ask(door(db, outbox, "notify", {}), "tasks")
    assert (answer.status_code, answer.json()["count"]) == (202, 5)
    assert await relay.drain() == 5
    assert broker.names == [*names, "w1", *names]


async def test_what_does_not_stand_in_the_outbox_is_published_by_its_keeper(
    db: Database, outbox: Outbox
) -> None:
    """As the readings, which have a table of their own."""

    async def again() -> int:
        return 7

    answer = await ask(door(db, outbox, "ingest", {"readings": again}), "readings")
    assert answer.json()["count"] == 7


@pytest.mark.parametrize("topic", ["readings", "no-such-topic", "tasks.dead"])
async def test_a_service_publishes_only_its_own_topics_again(
    db: Database, outbox: Outbox, topic: str
) -> None:
    """Another service keeps those, or nobody."""
    assert (await ask(door(db, outbox, "notify", {}), topic)).status_code == 404
