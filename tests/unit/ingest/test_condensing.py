"""After its period a reading lives on in its hour: how many, least, sum and most."""

from datetime import timedelta

import msgspec
import sqlalchemy as sa

from schemas.vocabulary import Quality
from services.ingest.flows.acceptance import Acceptance, Delivery
from services.ingest.outbound import packs
from services.ingest.outbound.condensing import condense
from services.ingest.outbound.tables import READING_HOUR, RUN, SEEN
from services.runtime.database import Database
from tests.unit.ingest.conftest import START, reading

LATER = START + timedelta(days=31)


async def take(db: Database, acceptance: Acceptance, readings) -> None:
    async with db.transaction() as conn:
        delivery = Delivery("alta", "key:test", tuple(readings))
        await acceptance.accept(conn, [delivery], received_at=START, stored_at=START)
        await packs.confirm(conn, [each.id for each in await packs.kept(conn, readings_most=1000)])


async def hours(db: Database) -> list[tuple]:
    t = READING_HOUR.c
    wanted = sa.select(t.sensor_id, t.hour, t.count, t.least, t.total, t.most).order_by(t.sensor_id, t.hour)
    async with db.reading() as conn:
        return [tuple(row) for row in await conn.execute(wanted)]


async def test_hours_are_the_same_however_small_the_bites(db, acceptance) -> None:
    """An hour whose readings go in several transactions adds up."""
    for minute in (0, 10, 20, 50, 70):
        await take(db, acceptance, [reading(1.0 + minute / 10, minute)])
    while await condense(db, LATER, 2):
        pass

    assert [
        ("rio-1", START, 4, 1.0, 12.0, 6.0),
        ("rio-1", START + timedelta(hours=1), 1, 8.0, 8.0, 8.0),
    ] == await hours(db)


async def test_a_corrected_value_does_not_count(db, acceptance) -> None:
    """The correction does, also when both go in different bites."""
    await take(db, acceptance, [reading(1.0)])
    await take(db, acceptance, [reading(2.0)])
    while await condense(db, LATER, 1):
        pass

    assert [("rio-1", START, 1, 2.0, 2.0, 2.0)] == await hours(db)


async def test_a_value_corrected_in_the_same_commit_does_not_count(db, acceptance) -> None:
    """Nor when its correction follows at once."""
    await take(db, acceptance, [reading(1.0), reading(2.0), reading(3.0, minute=5)])
    await condense(db, LATER, 10)

    assert [("rio-1", START, 2, 2.0, 5.0, 3.0)] == await hours(db)


async def test_what_is_forgotten_is_not_recognised_any_more(db, acceptance) -> None:
    """Nothing is kept of it by which it could be: neither of what came in order, nor late, nor by its id."""
    named = msgspec.structs.replace(reading(4.0, minute=40), event_id="e-1")
    await take(db, acceptance, [reading(1.0, minute=30)])
    await take(db, acceptance, [reading(2.0, minute=10), named])
    await take(db, acceptance, [reading(1.5, minute=30)])
    while await condense(db, LATER, 1):
        pass

    async with db.reading() as conn:
        for table in (RUN, SEEN):
            assert [] == list(await conn.execute(sa.select(table)))


async def test_what_the_source_doubts_makes_no_mean(db, acceptance) -> None:
    await take(db, acceptance, [msgspec.structs.replace(reading(3.0), quality=Quality.SUSPECT)])
    await condense(db, LATER, 10)
    assert [] == await hours(db)


async def test_younger_readings_stay_one_by_one(db, acceptance) -> None:
    await take(db, acceptance, [reading()])
    assert 0 == await condense(db, START, 10)
    async with db.reading() as conn:
        assert 1 == len(await packs.kept(conn, readings_most=10))
