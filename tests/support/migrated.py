"""Empty databases as the migrations leave them: migrated once in this process, then copied."""

from __future__ import annotations

import sqlite3
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from services.runtime.migrations import upgrade


def migrated(url: str, service: str) -> str:
    """Return the address; a SQLite file that is not there yet is laid, with nothing left to migrate."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite" and address.database:
        file = Path(address.database)
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(empty(service))
    return url


@cache
def empty(service: str) -> bytes:
    """Return a service's SQLite file as its migrations leave it."""
    engine = sa.create_engine("sqlite://")
    with engine.begin() as conn:
        upgrade(conn, service)
    with engine.connect() as conn:
        memory = conn.connection.dbapi_connection
        assert isinstance(memory, sqlite3.Connection)
        laid = memory.serialize()
    engine.dispose()
    return laid
