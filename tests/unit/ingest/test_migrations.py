"""The migrations make the tables that the code speaks of."""

from services.ingest.outbound.tables import metadata
from services.runtime.database import Database


async def test_migrated_tables_are_those_of_the_code(db: Database) -> None:
    """A column added without a migration is found here."""
    assert await db.drift(metadata) == []
