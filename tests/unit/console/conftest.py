"""Databases for console's tests: the same suite on both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.console.settings import SERVICE
from tests.support.migrated import migrated_database
from tests.support.postgres import PostgresCluster, postgres

__all__ = ["postgres"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.smoke)])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """An empty database of its own."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/console.sqlite"
        return
    cluster: PostgresCluster = request.getfixturevalue("postgres")
    async with migrated_database(cluster, SERVICE) as fresh:
        yield fresh
