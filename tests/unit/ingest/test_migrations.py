"""The migrations make the tables that the code speaks of, and lose nothing of what older ones held."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import sqlalchemy as sa
from alembic import command

from services.ingest.flows.acceptance import Acceptance, Delivery
from services.ingest.outbound import packs
from services.ingest.outbound.tables import metadata
from services.runtime.database import Database
from services.runtime.migrations import alembic_config
from tests.unit.ingest.conftest import CATALOGUE, START, reading

AT = START.isoformat(timespec="microseconds")
TRAVELS = (
    '{"n":2,"sensor_id":"rio-1","property":"river_level","value":1.1,"unit":"m","observed_at":"2026-05-02T12:01:00Z",'
    '"received_at":"2026-05-02T12:00:00Z","quality":"good","correction":false}'
)


async def test_migrated_tables_are_those_of_the_code(db: Database) -> None:
    """A column added without a migration is found here."""
    assert await db.drift(metadata) == []


async def test_readings_of_the_first_tables_are_kept_recognised_and_published_once(tmp_path: Path) -> None:
    """One was published before the migration, one still waited."""
    url = f"sqlite:///{tmp_path / 'ingest.sqlite'}"
    _with_first_tables(url)
    db = Database(url)
    await db.migrate("ingest")
    async with db.transaction() as conn:
        before = [
            (each.n, each.value) for pack in await packs.kept(conn, readings_most=9) for each in pack.readings
        ]
        waits = [row.row_id for row in await packs.waiting(conn, 9, 9, [])]
        again = Delivery("alta", "red", (reading(1.0), reading(1.1, 1), reading(1.2, 1), reading(1.3, 2)))
        counts = await Acceptance(CATALOGUE).accept(conn, [again], received_at=START, stored_at=START)
    drift = await db.drift(metadata)
    await db.close()

    assert ([(1, 1.0), (2, 1.1)], [2], []) == (before, waits, drift)
    assert [Counter(duplicate=2, correction=1, accepted=1)] == counts


def _with_first_tables(url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as conn:
        config = alembic_config("ingest")
        config.attributes["connection"] = conn
        command.upgrade(config, "0001")
        for n, minute in ((1, 0), (2, 1)):
            moment = reading(minute=minute).observed_at.isoformat()
            row = {
                "municipality": "alta",
                "identity": f"t\nrio-1\nriver_level\n{moment}",
                "value": 0.9 + n / 10,
                "n": n,
                "sensor_id": "rio-1",
                "property": "river_level",
                "unit": "m",
                "observed_at": moment.replace("+", ".000000+"),
                "received_at": AT,
                "quality": "good",
                "correction": False,
                "stored_at": AT,
            }
            _put(conn, "reading", row)
        _put(
            conn,
            "packed",
            {"municipality": "alta", "partition": 3, "count": 1, "body": TRAVELS.encode(), "stored_at": AT},
        )
        _put(
            conn,
            "series",
            {
                "municipality": "alta",
                "sensor_id": "rio-1",
                "last_n": 2,
                "fingerprint": "00",
                "observed_at": reading(minute=1).observed_at.isoformat(timespec="microseconds"),
                "received_at": AT,
            },
        )
    engine.dispose()


def _put(conn: sa.Connection, table: str, row: dict[str, object]) -> None:
    conn.execute(sa.insert(sa.table(table, *map(sa.column, row))).values(row))
