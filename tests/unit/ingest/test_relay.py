"""Readings leave packed and in order, and the tick stands behind them."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from schemas.events.readings import ClockTicked, SensorMeasured
from schemas.topics import READINGS, partition_of
from services.ingest.domain.normalise import Reading
from services.ingest.flows.acceptance import Acceptance, Delivery
from services.ingest.outbound.condensing import condense
from services.ingest.outbound.source import BATCH, ReadingSource
from services.ingest.outbound.tables import RUNTIME
from services.ingest.outbound.ticks import Ticker, Told, last_tick
from services.runtime.clock import HandClock
from services.runtime.database import Database
from services.runtime.health import Health
from services.runtime.lease import Lease
from services.runtime.outbox import Outbox, Outgoing
from services.runtime.relay import Relay
from tests.unit.ingest.conftest import START, FakePublisher, reading


class Second:
    """Real seconds, moved by hand."""

    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def real() -> Second:
    return Second()


@pytest.fixture
def ticker(db: Database, clock: HandClock, real: Second) -> Ticker:
    ticker = Ticker(db, clock, monotonic_s=real)
    ticker.bind()
    return ticker


@pytest.fixture
def make_relay(db: Database, clock: HandClock, publisher: FakePublisher) -> Callable[[Ticker | None], Relay]:
    def make(ticker: Ticker | None) -> Relay:
        async def connect() -> FakePublisher:
            return publisher

        return Relay(
            db,
            Outbox(RUNTIME, None, "ingest", clock),
            connect,
            Lease(db, RUNTIME, "relay", "ingest-0"),
            clock,
            Health("ingest"),
            more_sources=[ReadingSource(clock.now, ticker.bind if ticker else lambda: None)],
            behind=ticker,
            batch=BATCH,
        )

    return make


async def take(db: Database, acceptance: Acceptance, town: str, rows: Sequence[Reading]) -> None:
    async with db.transaction() as conn:
        await acceptance.accept(
            conn, [Delivery(town, "red", tuple(rows))], received_at=START, stored_at=START
        )


def numbers(sent: Sequence[tuple[Outgoing, dict]], town: str, sensor: str) -> list[int]:
    return [
        r["n"]
        for out, said in sent
        if out.envelope.municipality == town
        for r in said["readings"]
        if r["sensor_id"] == sensor
    ]


async def test_lone_reading_leaves_alone(db, acceptance, publisher, make_relay) -> None:
    """It does not wait for company, and stands on its site's partition."""
    await take(db, acceptance, "alta", [reading(2.5)])
    await make_relay(None).drain()

    [(out, said)] = publisher.of_type(SensorMeasured.TYPE)
    assert partition_of("alta", "puente") == out.partition
    assert "alta" == out.key
    assert [2.5] == [r["value"] for r in said["readings"]]
    SensorMeasured.model_validate_json(out.value)


async def test_backlog_leaves_packed_in_order_and_unmixed(db, acceptance, publisher, make_relay) -> None:
    """Up to 500 readings a record, of one town and partition each, none missing, none twice."""
    for start in range(0, 1200, 400):
        for town in ("alta", "baja"):
            rows = [reading(minute=minute) for minute in range(start, start + 400)]
            await take(db, acceptance, town, rows)
    relay = make_relay(None)
    await relay.drain()

    sent = publisher.of_type(SensorMeasured.TYPE)
    assert len(sent) == 6
    for town in ("alta", "baja"):
        assert numbers(sent, town, "rio-1") == list(range(1, 1201))
    assert all(len(said["readings"]) <= 500 for _, said in sent)
    assert await relay.drained()


async def test_broker_away_loses_and_reorders_nothing(db, acceptance, publisher, make_relay) -> None:
    """What was accepted meanwhile leaves when it is back."""
    relay = make_relay(None)
    publisher.is_down = True
    await take(db, acceptance, "alta", [reading(minute=0)])
    await relay.step() if await relay._lease.hold() else None
    await take(db, acceptance, "alta", [reading(minute=1)])
    publisher.is_down = False
    await relay.drain()

    assert [1, 2] == numbers(publisher.of_type(SensorMeasured.TYPE), "alta", "rio-1")


async def test_tick_reaches_every_partition_behind_the_readings(
    db, acceptance, publisher, make_relay, ticker
) -> None:
    """All that was accepted before the tick stands before it."""
    await take(db, acceptance, "alta", [reading(minute=minute) for minute in range(700)])
    await make_relay(ticker).drain()

    kinds = [each.envelope.type for each in publisher.sent]
    assert kinds == ["sensor.measured"] * 2 + ["clock.ticked"] * READINGS.partitions
    ticks = publisher.of_type(ClockTicked.TYPE)
    assert {out.partition for out, _ in ticks} == set(range(READINGS.partitions))
    assert {said["now"] for _, said in ticks} == {"2026-05-02T12:00:00Z"}
    assert START == ticker.last


async def test_no_tick_while_readings_wait(db, acceptance, publisher, make_relay, ticker) -> None:
    """A broker that refuses one partition is never a dead gauge on it."""
    publisher.down_partitions = {partition_of("alta", "puente")}
    await take(db, acceptance, "alta", [reading()])
    relay = make_relay(ticker)
    await relay.drain()

    assert not publisher.of_type(ClockTicked.TYPE)
    assert ticker.last is None


async def test_one_tick_a_real_second_and_one_after_each_jump(
    publisher, make_relay, ticker, clock, real
) -> None:
    """The rules' time goes on with the clock, not with the relay's rounds."""
    relay = make_relay(ticker)
    clock._now, jumps = START, [timedelta(), timedelta(hours=1), timedelta(seconds=1)]
    for jump in jumps:
        clock.wait(jump)
        await relay.drain()
        await relay.drain()
    clock._now += timedelta(seconds=1)  # Runs on without a jump.
    await relay.drain()
    assert len(publisher.of_type(ClockTicked.TYPE)) == 3 * READINGS.partitions

    real.s += 1
    await relay.drain()
    assert len(publisher.of_type(ClockTicked.TYPE)) == 4 * READINGS.partitions


async def test_clock_that_stands_says_so_again(publisher, make_relay, ticker, clock, real) -> None:
    """A replica that was given partitions meanwhile would otherwise never learn the time."""
    relay = make_relay(ticker)
    clock.rate = 0.0
    clock.set(START)
    for real.s in (0.0, 1.0, 9.0, 10.0, 11.0, 20.0):
        await relay.drain()
    ticks = publisher.of_type(ClockTicked.TYPE)

    assert len(ticks) == 3 * READINGS.partitions
    assert len({tick["now"] for _, tick in ticks}) == 1


async def test_tick_never_goes_back_also_over_a_restart(
    db, acceptance, publisher, make_relay, ticker, clock, real
) -> None:
    """A clock that was set back is waited for."""
    await take(db, acceptance, "alta", [reading()])
    await make_relay(ticker).drain()
    await ticker.saved()
    clock.set(START - timedelta(hours=1))
    restarted = Ticker(db, clock, monotonic_s=real)
    await restarted.load()
    await make_relay(restarted).drain()

    assert Told(START, True) == await last_tick(db)
    assert restarted.is_held
    assert READINGS.partitions == len(publisher.of_type(ClockTicked.TYPE))


async def test_old_readings_are_forgotten_and_leave_all_the_same(
    db, acceptance, publisher, make_relay
) -> None:
    """Retention takes small bites; what the broker has not taken yet stays."""
    for minute in range(5):
        await take(db, acceptance, "alta", [reading(minute=minute)])
    later = START + timedelta(hours=49)
    assert 0 == await condense(db, later, 3)
    await make_relay(None).drain()

    assert [3, 2, 0] == [await condense(db, later, 3) for _ in range(3)]
    assert [1, 2, 3, 4, 5] == numbers(publisher.of_type(SensorMeasured.TYPE), "alta", "rio-1")


async def test_trickle_that_waited_leaves_in_few_records(db, acceptance, publisher, make_relay) -> None:
    """After an outage readings that came one by one are joined, in their order."""
    for minute in range(30):
        await take(db, acceptance, "alta", [reading(minute=minute)])
    await make_relay(None).drain()

    [(out, said)] = publisher.of_type(SensorMeasured.TYPE)
    assert list(range(1, 31)) == [each["n"] for each in said["readings"]]
    SensorMeasured.model_validate_json(out.value)


async def test_fresh_town_follows_its_clock_back_until_the_first_reading(
    db, acceptance, publisher, make_relay, clock, real
) -> None:
    """It can be set to a recording of years ago; a gauge that never speaks is noticed all the same."""
    fresh = Ticker(db, clock, monotonic_s=real)
    relay = make_relay(fresh)
    for _ in range(2):
        await relay.drain()
        clock.set(clock.now() - timedelta(days=365))
    await take(db, acceptance, "alta", [reading()])
    for _ in range(2):
        await relay.drain()
        clock.set(clock.now() - timedelta(days=365))

    told = [said["now"][:4] for out, said in publisher.of_type(ClockTicked.TYPE) if out.partition == 0]
    assert ["2026", "2025", "2024"] == told
    assert fresh.is_held


async def test_tick_from_before_the_first_reading_binds_nobody_after_a_restart(
    db, acceptance, publisher, make_relay, clock, real
) -> None:
    """The clock was set back, a reading came, the process died: time goes on from the recording."""
    fresh = Ticker(db, clock, monotonic_s=real)
    await make_relay(fresh).drain()
    await fresh.saved()
    clock.set(START - timedelta(days=365))
    await take(db, acceptance, "alta", [reading()])
    restarted = Ticker(db, clock, monotonic_s=real)
    await restarted.load()
    await make_relay(restarted).drain()
    await restarted.saved()

    assert Told(clock.now(), True) == await last_tick(db)
