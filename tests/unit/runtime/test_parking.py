"""What waits for the unknown is bounded, for one thing and in all of a town."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.runtime.database import Database
from services.runtime.errors import ParkingFull
from services.runtime.parking import Parking
from services.runtime.records import Record
from services.runtime.tables import RuntimeTables
from tests.unit.runtime.conftest import START

RECORD = Record("decisions", 0, 1, None, b"{}", ())


async def park(db: Database, parking: Parking, waits_for: str, event_id: str, town: str = "ejemplo") -> bool:
    async with db.transaction() as conn:
        return await parking.park(
            conn, town, waits_for, event_id, RECORD, START, START + timedelta(minutes=10)
        )


async def test_too_many_for_one_thing_are_refused_and_others_are_not(
    db: Database, tables: RuntimeTables
) -> None:
    """A repeat of what waits is no more than it."""
    parking = Parking(tables, per_key_most=2, town_most=10)
    assert [await park(db, parking, "i-1", name) for name in ("a", "b", "a")] == [True, True, False]
    with pytest.raises(ParkingFull):
        await park(db, parking, "i-1", "c")
    assert await park(db, parking, "i-2", "c")


async def test_too_many_in_all_are_refused_and_another_town_is_not(
    db: Database, tables: RuntimeTables
) -> None:
    """Room comes back with what is taken out."""
    parking = Parking(tables, per_key_most=2, town_most=2)
    assert await park(db, parking, "i-1", "a")
    assert await park(db, parking, "i-2", "b")
    with pytest.raises(ParkingFull):
        await park(db, parking, "i-3", "c")
    assert await park(db, parking, "i-3", "c", town="otra")
    async with db.transaction() as conn:
        assert len(await parking.take(conn, "ejemplo", "i-1")) == 1
    assert await park(db, parking, "i-3", "c")
