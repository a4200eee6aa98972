"""Every table of every service has a period that a job enforces, or a reason to be kept (DESIGN §5.12)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.console import tables as console
from services.console.outbound import retention as of_console
from services.console.settings import ConsoleSettings
from services.ingest.outbound import retention as of_ingest
from services.ingest.outbound import tables as ingest
from services.ingest.settings import IngestSettings
from services.notify import tables as notify
from services.notify.outbound import retention as of_notify
from services.notify.settings import NotifySettings
from services.runtime.database import Database
from services.runtime.retention import Retention, Rule
from services.runtime.tables import UtcDateTime
from services.triage import tables as triage
from services.triage.outbound import retention as of_triage
from services.triage.settings import TriageSettings
from tests.support.migrated import migrated
from tests.support.postgres import PostgresCluster, fresh_database, postgres, run_sql

__all__ = ["postgres"]

NOW = datetime(2026, 5, 2, 12, tzinfo=UTC)
TABLES = {
    "ingest": ingest.metadata,
    "triage": triage.metadata,
    "notify": notify.metadata,
    "console": console.metadata,
}
RULES: dict[str, Sequence[Rule]] = {
    "ingest": of_ingest.rules(IngestSettings()),
    "triage": of_triage.rules(TriageSettings()),
    "notify": of_notify.rules(NotifySettings()),
    "console": of_console.rules(ConsoleSettings()),
}
KEPT = {
    "ingest": of_ingest.KEPT,
    "triage": of_triage.KEPT,
    "notify": of_notify.KEPT,
    "console": of_console.KEPT,
}
# Words go with the last message that carried them.
GOES_WITH = {"notify": {"body": "delivery"}, "ingest": {"run": "pack", "seen": "pack"}}
DESIGNED = {
    ("ingest", "outbox"): timedelta(hours=48),
    ("ingest", "pack"): timedelta(days=30),
    ("triage", "outbox"): timedelta(hours=48),
    ("notify", "outbox"): timedelta(hours=48),
    ("console", "outbox"): timedelta(hours=48),
}
KEPT_BY_LAW = {
    "triage": {"decision", "incident", "incident_version", "audit"},
    "notify": {"decision", "incident", "warning", "warning_version", "authority_request", "audit"},
    "console": {"audit"},
}


def unaccounted(metadata: sa.MetaData, service: str) -> set[str]:
    """Return the tables that have neither a period nor a reason."""
    ruled = {rule.table for rule in RULES[service]}
    return set(metadata.tables) - ruled - KEPT[service].keys() - GOES_WITH.get(service, {}).keys()


@pytest.mark.parametrize("service", TABLES)
def test_every_table_has_a_period_or_a_reason(service: str) -> None:
    assert unaccounted(TABLES[service], service) == set()


def test_a_table_that_nobody_thought_of_is_found() -> None:
    """A test that finds nothing proves nothing."""
    metadata = sa.MetaData()
    sa.Table("forgotten", metadata, sa.Column("municipality", sa.String(64), primary_key=True))
    assert unaccounted(metadata, "ingest") == {"forgotten"}


@pytest.mark.parametrize("service", TABLES)
def test_no_table_has_both_and_every_name_is_a_table(service: str) -> None:
    ruled, kept = {rule.table for rule in RULES[service]}, set(KEPT[service])
    assert ruled & kept == set()
    assert (ruled | kept) - set(TABLES[service].tables) == set()


@pytest.mark.parametrize("service", KEPT_BY_LAW)
def test_what_the_law_keeps_has_no_period(service: str) -> None:
    assert KEPT_BY_LAW[service] <= KEPT[service].keys()


def test_periods_are_the_designs() -> None:
    periods = {(service, rule.table): rule.period for service in RULES for rule in RULES[service]}
    assert {name: periods[name] for name in DESIGNED} == DESIGNED


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.smoke)])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/town.sqlite"
        return
    cluster: PostgresCluster = request.getfixturevalue("postgres")
    async with fresh_database(cluster) as fresh:
        yield fresh


@pytest.mark.parametrize("service", TABLES)
async def test_one_row_of_every_table_put_in_an_age_ago_is_gone_or_kept(url: str, service: str) -> None:
    """On both databases, with the tables as the migrations leave them; run twice, nothing more goes."""
    if url.startswith("postgresql"):
        await run_sql(url, f"CREATE SCHEMA {service}")
    db = Database(migrated(url, service), schema=service)
    await db.migrate(service)
    metadata = TABLES[service]
    try:
        async with db.transaction() as conn:
            for table in metadata.sorted_tables:
                await conn.execute(sa.insert(table).values(old_row(table)))
        job = Retention(db, RULES[service], town=lambda: NOW, wall=lambda: NOW)
        await job.enforce()
        assert await job.enforce() == 0
        async with db.reading() as conn:
            still = {
                table.name
                for table in metadata.sorted_tables
                if (await conn.execute(sa.select(sa.func.count()).select_from(table))).scalar_one()
            }
    finally:
        await db.close()
    assert still == KEPT[service].keys() & set(metadata.tables)


def old_row(table: sa.Table) -> dict[str, Any]:
    """Return a row that ended ten years ago, whatever its table."""
    row = {column.name: old_value(column) for column in table.columns}
    return row | ENDED.get(table.name, {})


@pytest.mark.parametrize("going_on", [{"incident": {"state": "open"}}, {"warning": {"state": "authorised"}}])
async def test_who_was_told_of_what_goes_on_stays_known(
    url: str, going_on: dict[str, dict[str, Any]]
) -> None:
    """A clock moved by years ends no incident and no warning: its correction and its lift have addressees."""
    if url.startswith("postgresql"):
        await run_sql(url, "CREATE SCHEMA notify")
    db = Database(migrated(url, "notify"), schema="notify")
    await db.migrate("notify")
    tables = [TABLES["notify"].tables[name] for name in ("incident", "warning", "body", "delivery")]
    try:
        async with db.transaction() as conn:
            for table in tables:
                await conn.execute(sa.insert(table).values(old_row(table) | going_on.get(table.name, {})))
        job = Retention(db, RULES["notify"], town=lambda: NOW, wall=lambda: NOW)
        assert await job.enforce() == 0
        async with db.transaction() as conn:
            for table in tables[:2]:
                await conn.execute(sa.update(table).values(ENDED[table.name]))
        assert await job.enforce() == 1
    finally:
        await db.close()


OLD_READING = (
    b'{"n":1,"sensor_id":"x","property":"river_level","value":1.0,"unit":"m","quality":"good","correction":false,'
    b'"observed_at":"2016-05-02T12:00:00Z","received_at":"2016-05-02T12:00:00Z","event_id":"x"}'
)
ENDED: dict[str, dict[str, Any]] = {
    "incident": {"state": "closed"},
    "warning": {"state": "lifted"},
    "source": {"muted_at": None},
    "delivery": {"state": "delivered", "body_id": "b"},
    "body": {"body_id": "b"},
    "recipient": {"active": False, "opted_out": False},
    "pack": {"waits": False, "body": OLD_READING},
    "run": {"sensor_id": "x", "last_us": 0},
    "seen": {"identity": "e\nx\nx"},
}


def old_value(column: sa.Column[Any]) -> Any:
    kind = column.type
    if isinstance(kind, UtcDateTime):
        return NOW - timedelta(days=3650)
    if isinstance(kind, sa.Boolean):
        return False
    if isinstance(kind, sa.Integer | sa.Float | sa.Double):
        return 1
    if isinstance(kind, sa.LargeBinary):
        return b"[]"
    return {} if isinstance(kind, sa.JSON) else "x"
