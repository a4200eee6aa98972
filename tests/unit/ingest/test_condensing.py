"""After its period a reading lives on in its hour: how many, least, sum and most."""

from datetime import timedelta

import msgspec
import sqlalchemy as sa

from schemas.vocabulary import Quality
from services.ingest.flows.acceptance import Acceptance, Delivery
from services.ingest.outbound.condensing import condense
from services.ingest.outbound.tables import READING, READING_HOUR
from services.runtime.database import Database
from tests.unit.ingest.conftest import START, reading

LATER = START + timedelta(days=31)


async def take(db: Database, acceptance: Acceptance, readings) -> None:
    async with db.transaction() as conn:
        delivery = Delivery("alta", "key:test", tuple(readings))
        await acceptance.accept(conn, [delivery], received_at=START, stored_at=START)


async def hours(db: Database) -> list[tuple]:
    t = READING_HOUR.c
    wanted = sa.select(t.sensor_id, t.hour, t.count, t.least, t.total, t.most).order_by(t.sensor_id, t.hour)
    async with db.reading() as conn:
        return [tuple(row) for row in await conn.execute(wanted)]


async def test_hours_are_the_same_however_small_the_bites(db, acceptance) -> None:
    """An hour whose readings go in several transactions adds up."""
    await take(db, acceptance, [reading(1.0 + minute / 10, minute) for minute in (0, 10, 20, 50, 70)])
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


async def test_what_the_source_doubts_makes_no_mean(db, acceptance) -> None:
    await take(db, acceptance, [msgspec.structs.replace(reading(3.0), quality=Quality.SUSPECT)])
    await condense(db, LATER, 10)
    assert [] == await hours(db)


async def test_younger_readings_stay_one_by_one(db, acceptance) -> None:
    await take(db, acceptance, [reading()])
    assert 0 == await condense(db, START, 10)
    async with db.reading() as conn:
        assert 1 == (await conn.execute(sa.select(sa.func.count()).select_from(READING))).scalar_one()
