"""What one transaction of ingest does with the readings of any towns."""

import asyncio
from collections import Counter

import sqlalchemy as sa

from services.ingest.domain.normalise import Reading
from services.ingest.domain.series import Outcome
from services.ingest.flows.acceptance import Acceptance, Delivery
from services.ingest.outbound import packs
from services.ingest.outbound.tables import QUARANTINE, SERIES
from services.runtime.database import Database
from tests.unit.ingest.conftest import START, reading


async def take(
    db: Database, acceptance: Acceptance, *deliveries: tuple[str, list[Reading]]
) -> list[Counter[Outcome]]:
    offered = [Delivery(town, "red", tuple(rows)) for town, rows in deliveries]
    async with db.transaction() as conn:
        return await acceptance.accept(conn, offered, received_at=START, stored_at=START)


async def rows_of(db: Database, table: sa.Table) -> list[dict]:
    async with db.reading() as conn:
        return [dict(row) for row in (await conn.execute(sa.select(table))).mappings()]


async def kept(db: Database) -> list[packs.Measured]:
    async with db.reading() as conn:
        return [each for pack in await packs.kept(conn, readings_most=1000) for each in pack.readings]


async def test_series_goes_on_after_a_restart(db: Database, acceptance: Acceptance) -> None:
    """Numbers, repeats and corrections are known by the database, not by the process."""
    await take(db, acceptance, ("alta", [reading(1.0), reading(1.1, minute=15)]))
    again = Acceptance(acceptance.catalogue)
    counts = await take(db, again, ("alta", [reading(1.0), reading(1.2, minute=15), reading(1.3, minute=30)]))

    assert Counter(duplicate=1, correction=1, accepted=1) == counts[0]
    stored = [(row.n, row.value, row.correction) for row in await kept(db)]
    assert [(1, 1.0, False), (2, 1.1, False), (3, 1.2, True), (4, 1.3, False)] == stored


async def test_towns_with_the_same_sensor_ids_do_not_mix(db: Database, acceptance: Acceptance) -> None:
    """The same reading is new in each town, with a series of its own."""
    counts = await take(db, acceptance, ("baja", [reading()]), ("alta", [reading()]))

    assert [Counter(accepted=1), Counter(accepted=1)] == counts
    assert [("alta", 1), ("baja", 1)] == [(r["municipality"], r["last_n"]) for r in await rows_of(db, SERIES)]


async def test_two_requests_of_one_commit_know_each_other(db: Database, acceptance: Acceptance) -> None:
    """A reading sent twice at the same time is accepted once."""
    counts = await take(db, acceptance, ("alta", [reading()]), ("alta", [reading()]))

    assert [Counter(accepted=1), Counter(duplicate=1)] == counts


async def test_unknown_sensor_is_set_apart_and_counted(db: Database, acceptance: Acceptance) -> None:
    """It is not lost, and coming again it is counted, not stored twice."""
    for _ in range(2):
        counts = await take(db, acceptance, ("alta", [reading(sensor="nuevo"), reading()]))

    assert counts[0][Outcome.QUARANTINED] == 1
    kept = await rows_of(db, QUARANTINE)
    assert [("alta", "sensor.unknown", 2)] == [(r["municipality"], r["reason"], r["times"]) for r in kept]


async def test_neighbours_sensor_is_unknown_here(db: Database, acceptance: Acceptance) -> None:
    """A gauge of town baja says nothing in town alta."""
    counts = await take(db, acceptance, ("alta", [reading(sensor="rio-3")]))

    assert Counter(quarantined=1) == +counts[0]


async def test_implausible_value_is_stored_as_suspect(db: Database, acceptance: Acceptance) -> None:
    """It is kept, published and decides nothing."""
    await take(db, acceptance, ("alta", [reading(55.0)]))

    assert ["suspect"] == [row.quality for row in await kept(db)]


async def test_series_remembers_the_newest_reading(db: Database, acceptance: Acceptance) -> None:
    """A late reading does not make a source look older than it is."""
    await take(db, acceptance, ("alta", [reading(minute=30)]))
    await take(db, acceptance, ("alta", [reading(minute=0)]))

    assert [reading(minute=30).observed_at] == [row["observed_at"] for row in await rows_of(db, SERIES)]


async def test_concurrent_transactions_number_without_holes_and_repeat_nothing(
    db: Database, acceptance: Acceptance
) -> None:
    """As two replicas on one PostgreSQL would: overlapping batches, each reading more than once."""
    batches = [
        [reading(minute=minute, sensor=sensor) for minute in range(start, start + 6) for sensor in sensors]
        for start in range(0, 24, 3)
        for sensors in (("rio-1", "rio-2"), ("rio-2", "rio-1"))
    ]
    counts = await asyncio.gather(*(take(db, acceptance, ("alta", batch)) for batch in batches))

    stored = await kept(db)
    for sensor in ("rio-1", "rio-2"):
        assert list(range(1, 28)) == [row.n for row in stored if row.sensor_id == sensor]
    assert sum(each[0][Outcome.ACCEPTED] for each in counts) == len(stored)
