"""One schema and one role per service; none may touch another's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import sqlalchemy as sa

from services.runtime.database import Database
from services.runtime.provision import provision
from services.runtime.tables import RuntimeTables
from tests.support.postgres import PostgresCluster, fresh_database, run_sql

pytestmark = pytest.mark.smoke

SERVICES = ("ingest", "triage", "notify")


@pytest.fixture
async def admin_url(postgres: PostgresCluster) -> AsyncIterator[str]:
    async with fresh_database(postgres) as url:
        yield url


@pytest.fixture
async def urls(admin_url: str, metadata: sa.MetaData, tables: RuntimeTables) -> dict[str, str]:
    provisioned = await provision(admin_url, SERVICES)
    for service, url in provisioned.items():
        db = Database(url, schema=service)
        await db.create_all(metadata)
        await db.close()
    return provisioned


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM notify.outbox",
        "INSERT INTO notify.lease VALUES ('relay', 'x', 1, now())",
        "CREATE TABLE notify.mine (x int)",
        "CREATE TABLE public.mine (x int)",
        "CREATE SCHEMA mine",
        "DROP SCHEMA notify CASCADE",
        "SET ROLE municipio_admin",
    ],
)
async def test_a_service_has_no_rights_beside_its_own_schema(urls: dict[str, str], statement: str) -> None:
    """Triage can neither read nor change what notify keeps, nor make room elsewhere."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await run_sql(urls["triage"], statement)


async def test_a_service_does_what_it_wants_in_its_own(urls: dict[str, str]) -> None:
    """Without naming the schema."""
    assert await run_sql(urls["triage"], "SELECT * FROM outbox") == []
    await run_sql(urls["triage"], "CREATE TABLE mine (x int)")


async def test_a_service_cannot_enter_as_another(urls: dict[str, str]) -> None:
    """Each role has a password of its own."""
    stolen = sa.make_url(urls["triage"]).set(username=sa.make_url(urls["notify"]).username)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await run_sql(stolen.render_as_string(hide_password=False), "SELECT 1")


async def test_with_a_secret_a_second_call_changes_nothing(admin_url: str) -> None:
    """Running services keep their passwords; calls at the same time wait for one another."""
    first = await provision(admin_url, SERVICES, secret="s")
    again = await asyncio.gather(*(provision(admin_url, SERVICES, secret="s") for _ in range(3)))
    assert again == [first] * 3
    assert await run_sql(first["ingest"], "SELECT 1") is not None


async def test_without_a_secret_passwords_are_new_each_time(admin_url: str) -> None:
    """The last answer is the one that works."""
    first, second = [await provision(admin_url, ["ingest"]) for _ in range(2)]
    with pytest.raises(asyncpg.InvalidPasswordError):
        await run_sql(first["ingest"], "SELECT 1")
    assert await run_sql(second["ingest"], "SELECT 1") is not None
