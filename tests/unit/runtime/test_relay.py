"""The relay: in order per key, nothing lost, whatever the broker does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.envelope import EnvelopeError
from schemas.vocabulary import Lane
from services.runtime import relay as relay_module
from services.runtime.clock import HandClock
from services.runtime.database import Database
from services.runtime.errors import Fenced
from services.runtime.health import Health
from services.runtime.lease import Lease
from services.runtime.outbox import Outbox, Outgoing
from services.runtime.publishing import PublishFailed
from services.runtime.relay import Relay
from services.runtime.tables import RuntimeTables, runtime_tables
from tests.unit.runtime.conftest import START, outgoing
from tests.unit.runtime.publishers import LOST, REFUSED, Broker


class Ticks:
    """What must stand behind all readings."""

    def __init__(self) -> None:
        self.wanted: list[Outgoing] = []
        self.sent: list[str] = []

    def due(self) -> Sequence[Outgoing]:
        return self.wanted

    def published(self, outgoing: Sequence[Outgoing]) -> None:
        self.sent += [each.envelope.id for each in outgoing]
        self.wanted = []


@pytest.fixture
def monotonic(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Real time as the relay's waits see it, moved by hand: ``monotonic[0] += 60``."""
    now_s = [1000.0]
    monkeypatch.setattr(relay_module.HoldBack.__init__, "__defaults__", (lambda: now_s[0],))
    return now_s


def make_relay(
    db: Database,
    tables: RuntimeTables,
    outbox: Outbox,
    broker: Broker,
    holder: str = "testing-0",
    **more: object,
) -> Relay:
    lease = Lease(db, tables, "relay", holder)
    return Relay(db, outbox, broker.connect, lease, HandClock(START), Health("testing"), **more)  # type: ignore[arg-type]


async def accept(db: Database, outbox: Outbox, *records: Outgoing) -> None:
    async with db.transaction() as conn:
        await outbox.add(conn, "ejemplo", records)


async def test_records_leave_in_the_order_of_acceptance(db: Database, tables, outbox) -> None:
    """And are marked, so the next round finds nothing."""
    broker = Broker()
    relay = make_relay(db, tables, outbox, broker)
    await accept(db, outbox, outgoing("a1"), outgoing("b1", "incident-2"))
    await accept(db, outbox, outgoing("a2"))
    assert not await relay.drained()
    assert await relay.drain() == 3
    assert broker.names == ["a1", "b1", "a2"]
    assert await relay.drained()


async def test_an_envelope_nobody_could_read_is_refused_at_once(db: Database, outbox) -> None:
    """The handler that made it fails, not the relay, which would publish nothing ever after."""
    with pytest.raises(EnvelopeError, match="id"):
        await accept(db, outbox, outgoing("x" * 600))


async def test_what_leaves_is_what_was_accepted(db: Database, tables, outbox) -> None:
    """Topic, key, envelope, value, lane and partition come back byte for byte."""
    broker = Broker()
    accepted = outgoing("ñandú-1", None, topic="readings", lane=Lane.READINGS, partition=3)
    await accept(db, outbox, accepted)
    await make_relay(db, tables, outbox, broker).drain()
    [written] = broker.written
    parts = attrgetter("topic", "key", "envelope", "value", "lane", "partition", "hold")
    assert parts(accepted) == parts(written)
    assert list(accepted.headers()) == list(written.headers())


async def test_a_decision_overtakes_readings_accepted_before_it(db: Database, tables, outbox) -> None:
    """After an outage people's words leave first."""
    broker = Broker()
    relay = make_relay(db, tables, outbox, broker, batch=2)
    readings = [outgoing(f"r{n}", lane=Lane.READINGS, topic="readings", partition=0) for n in range(3)]
    await accept(db, outbox, *readings)
    await accept(db, outbox, outgoing("decision", "ejemplo", topic="messages", lane=Lane.DECISIONS))
    await relay.drain()
    assert broker.names == ["decision", "r0", "r1", "r2"]


async def test_what_waits_is_read_without_sorting_all_of_it(tmp_path: Path, metadata, tables, outbox) -> None:
    """Else each round after a long outage would sort everything that is left."""
    db = Database(f"sqlite:///{tmp_path / 'waits.sqlite'}")
    await db.create_all(metadata)
    asked: list[tuple[str, Any]] = []
    sa.event.listen(
        db._reading.sync_engine,
        "before_cursor_execute",
        lambda conn, cursor, statement, parameters, context, many: asked.append((statement, parameters)),
    )
    async with db.reading() as conn:
        for dead in (False, True):
            await outbox.waiting(conn, 10, frozenset(), dead=dead)
        plans = [
            " ".join(row[3] for row in await conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", told))
            for statement, told in asked[-2:]
        ]
    await db.close()
    for plan in plans:
        assert "outbox_unpublished" in plan
        assert "TEMP B-TREE" not in plan


async def test_rolled_back_records_never_leave(db: Database, tables, outbox) -> None:
    """An outbox row belongs to the transaction that decided it."""
    broker = Broker()
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the transaction is what is tried
        async with db.transaction() as conn:
            await outbox.add(conn, "ejemplo", [outgoing("never")])
            raise ZeroDivisionError
    assert await make_relay(db, tables, outbox, broker).drain() == 0


@pytest.mark.parametrize("failure", [LOST, REFUSED], ids=["timed out", "refused"])
async def test_a_failed_record_holds_back_its_key_only(
    db: Database, tables, outbox, monotonic: list[float], failure: PublishFailed
) -> None:
    """The other incident's record goes on; the failed one and what follows it wait, then leave in order."""
    bad = {"a1"}
    broker = Broker(lambda each: failure if each.envelope.id in bad else None)
    relay = make_relay(db, tables, outbox, broker)
    await accept(db, outbox, outgoing("a1"), outgoing("a2"), outgoing("b1", "incident-2"))
    await relay.drain()
    assert broker.names == ["b1"]
    bad.clear()
    assert await relay.drain() == 0, "still held back"
    monotonic[0] += 60
    await relay.drain()
    assert broker.names == ["b1", "a1", "a2"]


async def test_an_explicit_partition_is_held_back_as_a_whole(db: Database, tables, outbox, monotonic) -> None:
    """Readings of two towns in one partition keep their order; another partition goes on."""
    bad = {"p0-alta"}
    broker = Broker(lambda each: REFUSED if each.envelope.id in bad else None)
    relay = make_relay(db, tables, outbox, broker)
    kind = {"topic": "readings", "lane": Lane.READINGS}
    await accept(
        db,
        outbox,
        outgoing("p0-alta", "alta", partition=0, **kind),
        outgoing("p0-baja", "baja", partition=0, **kind),
        outgoing("p1-alta", "alta", partition=1, **kind),
    )
    await relay.drain()
    assert broker.names == ["p1-alta"]
    bad.clear()
    monotonic[0] += 60
    await relay.drain()
    assert broker.names == ["p1-alta", "p0-alta", "p0-baja"]


async def test_a_record_acknowledged_after_a_failed_one_is_not_marked(
    db: Database, tables, outbox, monotonic
) -> None:
    """Only the prefix per key counts as published: order matters more than a duplicate."""
    fails = ["a1"]

    class Careless(Broker):
        async def connect(self):
            publisher = await super().connect()
            publisher._broken = frozenset()  # Lets a2 pass although a1 failed.
            publisher._broken = type("Never", (set,), {"add": lambda *_: None})()
            return publisher

    broker = Careless(lambda each: LOST if each.envelope.id in fails else None)
    relay = make_relay(db, tables, outbox, broker)
    await accept(db, outbox, outgoing("a1"), outgoing("a2"), outgoing("b1", "incident-2"))
    await relay.drain()
    assert broker.of_key("incident-1") == ["a2"]
    fails.clear()
    monotonic[0] += 60
    await relay.drain()
    assert broker.of_key("incident-1") == ["a2", "a1", "a2"]


async def test_after_any_failure_the_publisher_is_made_anew(db: Database, tables, outbox, monotonic) -> None:
    """A refused record breaks an idempotent producer's sequence for ever."""
    bad = {"a1"}
    broker = Broker(lambda each: REFUSED if each.envelope.id in bad else None)
    relay = make_relay(db, tables, outbox, broker)
    await accept(db, outbox, outgoing("a1"))
    await relay.drain()
    bad.clear()
    monotonic[0] += 60
    await relay.drain()
    assert broker.connections == 2


async def test_an_innocent_neighbour_is_tried_apart_from_the_refused_one(
    db: Database, tables, outbox, monotonic
) -> None:
    """The broker refuses whole batches, so after a refusal each suspect key gets a batch of its own."""

    def refuse_batches_with_poison(_each: Outgoing) -> PublishFailed | None:
        return REFUSED if "poison" in broker.batches[-1] else None

    broker = Broker(refuse_batches_with_poison)
    relay = make_relay(db, tables, outbox, broker)
    await accept(db, outbox, outgoing("poison", "incident-9"), outgoing("a1"))
    await relay.drain()
    assert broker.names == []
    monotonic[0] += 60
    await relay.drain()
    assert broker.names == ["a1"]


async def test_with_no_broker_nothing_is_lost_and_no_key_is_blamed(db: Database, tables, outbox) -> None:
    """All of it leaves, in order, as soon as the broker is back."""
    broker = Broker()
    broker.is_away = True
    relay = make_relay(db, tables, outbox, broker)
    await accept(db, outbox, outgoing("a1"), outgoing("a2"), outgoing("b1", "incident-2"))
    assert await relay.drain() == 0
    broker.is_away = False
    assert await relay.drain() == 3
    assert broker.names == ["a1", "a2", "b1"]


async def test_ticks_stand_behind_everything_accepted_before(db: Database, tables, outbox) -> None:
    """A tick waits until the readings are out, and for its own partition when that one is held back."""
    ticks, broker = Ticks(), Broker()
    relay = make_relay(db, tables, outbox, broker, behind=ticks, batch=2)
    kind = {"topic": "readings", "lane": Lane.READINGS}
    await accept(db, outbox, *[outgoing(f"r{n}", partition=0, **kind) for n in range(3)])
    ticks.wanted = [outgoing("tick", "*", partition=0, **kind)]
    await relay.step()
    assert broker.names == ["r0", "r1"]
    await relay.step()
    assert broker.names == ["r0", "r1", "r2", "tick"]
    assert ticks.sent == ["tick"]


async def test_poison_delays_neither_readings_nor_ticks(db: Database, tables, outbox) -> None:
    """However many dead letters wait, what arrives after them and the tick behind it leave first."""
    ticks, broker = Ticks(), Broker()
    relay = make_relay(db, tables, outbox, broker, behind=ticks, batch=4)
    poison = {"topic": "readings.external.dead", "lane": Lane.DEAD_LETTERS}
    await accept(db, outbox, *[outgoing(f"p{n}", f"k{n}", **poison) for n in range(9)])
    kind = {"topic": "readings", "lane": Lane.READINGS}
    await accept(db, outbox, outgoing("r0", partition=0, **kind))
    ticks.wanted = [outgoing("tick", "*", partition=0, **kind)]
    await relay.step()
    assert broker.names == ["r0", "tick", "p0", "p1", "p2"]
    assert await relay.drain() == 6


async def test_a_tick_never_passes_a_reading_that_is_held_back(
    db: Database, tables, outbox, monotonic
) -> None:
    """A slow relay is never a dead gauge: partition 0 waits, partition 1 ticks on."""
    broker = Broker(lambda each: REFUSED if each.envelope.id == "r0" else None)
    ticks = Ticks()
    relay = make_relay(db, tables, outbox, broker, behind=ticks)
    kind = {"topic": "readings", "lane": Lane.READINGS}
    await accept(db, outbox, outgoing("r0", partition=0, **kind))
    for _ in range(2):
        ticks.wanted = [outgoing(f"tick{p}", "*", partition=p, **kind) for p in (0, 1)]
        await relay.step()
    assert broker.names == ["tick1"]
    assert ticks.sent == ["tick1"]


async def test_one_relay_at_a_time(db: Database, tables, outbox) -> None:
    """The second stands by; the first that lost its lease marks nothing."""
    first = Lease(db, tables, "relay", "testing-0")
    second = Lease(db, tables, "relay", "testing-1")
    assert await first.hold()
    assert not await second.hold()
    await first.release()
    assert await second.hold()
    with pytest.raises(Fenced):
        async with db.transaction() as conn:
            await first.renew(conn)


async def test_a_restarted_holder_takes_its_lease_over_at_once(db: Database, tables) -> None:
    """After kill -9 the same slot does not wait for the end of its own lease; the dead one is fenced."""
    dead, restarted = (Lease(db, tables, "relay", "testing-0") for _ in range(2))
    assert await dead.hold()
    assert await restarted.hold()
    assert restarted.epoch == dead.epoch + 1
    with pytest.raises(Fenced):
        async with db.transaction() as conn:
            await dead.renew(conn)


async def test_an_expired_lease_is_taken(db: Database, tables) -> None:
    """A relay that died on another machine holds nobody up for longer than the lease."""
    dead = Lease(db, tables, "relay", "testing-0", ttl=timedelta(seconds=-1))
    assert await dead.hold()
    assert await Lease(db, tables, "relay", "testing-1").hold()


async def test_a_relay_that_lost_its_lease_marks_nothing(db: Database, tables, outbox) -> None:
    """What it published is published again by the next: doubled, never lost."""
    broker = Broker()
    slow = make_relay(db, tables, outbox, broker)
    await accept(db, outbox, outgoing("a1"))
    assert await slow._lease.hold()
    async with db.transaction() as conn:
        await conn.execute(sa.update(tables.lease).values(holder="testing-1", epoch=9))
    with pytest.raises(Fenced):
        await slow.step()
    async with db.transaction() as conn:
        await conn.execute(sa.delete(tables.lease))
    assert await make_relay(db, tables, outbox, broker, "testing-1").drain() == 1
    assert broker.names == ["a1", "a1"]


async def test_run_wakes_at_once_and_ends_when_told(db: Database, tables, outbox) -> None:
    """A record is out long before the sweep would have found it."""
    broker = Broker()
    written = asyncio.Event()
    broker.fate = lambda _each: written.set()  # type: ignore[func-returns-value]
    running = asyncio.create_task(make_relay(db, tables, outbox, broker).run())
    await asyncio.sleep(0)
    await accept(db, outbox, outgoing("a1"))
    await asyncio.wait_for(written.wait(), 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert broker.names == ["a1"]


@pytest.mark.smoke
async def test_a_relay_in_another_process_is_notified(postgres, metadata, tables, clock, monkeypatch) -> None:
    """LISTEN/NOTIFY wakes a relay that did not write the row; the sweep is out of the way here."""
    from tests.support.postgres import fresh_database

    monkeypatch.setattr(relay_module, "SWEEP_S", 3600)
    async with fresh_database(postgres) as url:
        one, other = Database(url, schema="public"), Database(url, schema="public")
        await one.create_all(metadata)
        writer, reader = (Outbox(tables, None, "testing", clock) for _ in range(2))
        broker, written = Broker(), asyncio.Event()
        broker.fate = lambda _each: written.set()  # type: ignore[func-returns-value]
        running = asyncio.create_task(make_relay(other, tables, reader, broker).run())
        try:
            for number in range(3):
                written.clear()
                await accept(one, writer, outgoing(f"a{number}"))
                await asyncio.wait_for(written.wait(), 10)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await one.close()
            await other.close()
        assert broker.names == ["a0", "a1", "a2"]


async def test_prune_keeps_what_was_not_published(db: Database, tables, outbox, clock: HandClock) -> None:
    """Age alone never deletes a record that nobody has seen."""
    broker = Broker()
    relay = make_relay(db, tables, outbox, broker)
    await accept(db, outbox, outgoing("a1"))
    await relay.drain()
    await accept(db, outbox, outgoing("a2"))
    clock.wait(timedelta(days=3))
    async with db.transaction() as conn:
        assert await outbox.ages(conn) == {Lane.INCIDENTS: timedelta(days=3)}
        assert await outbox.prune(conn, clock.now() - timedelta(days=2)) == 1
    await relay.drain()
    assert broker.names == ["a1", "a2"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keys=st.lists(st.integers(0, 4), min_size=1, max_size=25),
    seed=st.integers(0, 2**32),
    fault_pct=st.integers(0, 60),
    batch=st.integers(1, 10),
)
def test_no_failure_reorders_a_key_or_loses_a_record(
    tmp_path_factory: pytest.TempPathFactory, keys: list[int], seed: int, fault_pct: int, batch: int
) -> None:
    """Refusals, time-outs (written or not), absences and crashes of the relay, in any order.

    The first copies of each key's records stand in the order of acceptance, and none is missing.
    """
    asyncio.run(
        _campaign(tmp_path_factory.mktemp("relay"), keys, random.Random(seed), fault_pct / 100, batch)
    )


async def _campaign(folder: Path, keys: list[int], dice: random.Random, faults: float, batch: int) -> None:
    metadata = sa.MetaData()
    tables = runtime_tables(metadata)
    db = Database(f"sqlite:///{folder}/town.sqlite")
    await db.create_all(metadata)
    outbox = Outbox(tables, None, "testing", HandClock(START))
    now_s = [0.0]
    broker = Broker()

    def fate(each: Outgoing) -> PublishFailed | None:
        if dice.random() >= faults:
            return None
        if dice.random() < 0.5:
            broker.written.append(each)  # Time-out after the write.
            return LOST
        return REFUSED if dice.random() < 0.3 else LOST

    broker.fate = fate
    accepted: dict[str, list[str]] = {}

    def start() -> Relay:
        relay = make_relay(db, tables, outbox, broker, batch=batch)
        relay._held = relay_module.HoldBack(lambda: now_s[0])
        return relay

    relay = start()
    for number, key in enumerate(keys):
        name = f"{key}-{number}"
        accepted.setdefault(f"incident-{key}", []).append(name)
        await accept(db, outbox, outgoing(name, f"incident-{key}", lane=Lane(key)))
        broker.is_away = dice.random() < faults / 3
        if dice.random() < 0.4 and await relay._lease.hold():
            await relay.step()
        if dice.random() < faults / 4:
            relay = start()
        now_s[0] += dice.random()
    broker.fate, broker.is_away = (lambda _: None), False
    now_s[0] += 3600
    await relay.drain()
    for key, names in accepted.items():
        firsts = list(dict.fromkeys(broker.of_key(key)))
        assert names == firsts
    assert await relay.drained()
    await db.close()


async def test_a_relay_that_starts_before_its_service_waits_for_the_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty database does not end its process."""
    monkeypatch.setattr(relay_module, "TABLES_AGAIN_S", 0.01)
    ran = asyncio.Event()

    class Told:
        async def run(self) -> None:
            ran.set()

    db = Database(f"sqlite:///{tmp_path}/triage.sqlite")
    async with db.transaction():
        pass  # The file is there, in WAL mode, which SQLite does not change while somebody reads.
    waiting = asyncio.create_task(relay_module.relay_alone(Told(), db, "triage"))  # type: ignore[arg-type]
    await asyncio.sleep(0.05)
    assert not waiting.done()
    assert not ran.is_set()
    await db.migrate("triage")
    async with asyncio.timeout(5):
        await waiting
    assert ran.is_set()
    await db.close()
