"""The databases that tests copy are those that a service makes for itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from services.runtime.database import Database
from tests.support.migrated import migrated

Rows = list[tuple[object, ...]]


def held(file: Path) -> tuple[Rows, Rows]:
    """Return all that a file was told to hold, and the version it says it has."""
    with closing(sqlite3.connect(file)) as db:
        made = db.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
        ).fetchall()
        return made, db.execute("SELECT version_num FROM alembic_version ORDER BY version_num").fetchall()


async def migrate(url: str, service: str) -> None:
    db = Database(url)
    await db.migrate(service)
    await db.close()


@pytest.mark.parametrize("service", ["ingest", "triage", "notify", "console"])
async def test_a_copied_database_is_the_migrated_one(tmp_path: Path, service: str) -> None:
    """The same tables and the same version, and a migration finds nothing to do."""
    own, copied = tmp_path / "own.sqlite", tmp_path / "copied.sqlite"
    await migrate(f"sqlite:///{own}", service)
    migrated(f"sqlite:///{copied}", service)
    laid = held(copied)
    assert held(own) == laid
    await migrate(f"sqlite:///{copied}", service)
    assert laid == held(copied)
    assert all(laid)
