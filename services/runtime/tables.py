"""The tables that every service has beside its own: outbox, inbox, timers, dead letters and the fence.

``lease`` and ``partition`` belong to the deployment, all others to a municipality, their first column.
Numbers given by the database (``seq``, ``id``) order rows; they identify nothing outside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.types import TypeDecorator, TypeEngine

BigSerial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """A UTC-aware moment with microseconds. SQLite keeps text of fixed width, so it sorts as time does."""

    impl = sa.String(32)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(sa.String(32))

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time cannot be stored: give it an offset")
        moment = value.astimezone(UTC)
        return moment if dialect.name == "postgresql" else moment.isoformat(timespec="microseconds")

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return moment.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class RuntimeTables:
    """Handles on the runtime's tables of one service's metadata."""

    outbox: sa.Table
    inbox: sa.Table
    timer: sa.Table
    dead_letter: sa.Table
    parked: sa.Table
    partition: sa.Table
    lease: sa.Table


def runtime_tables(metadata: sa.MetaData) -> RuntimeTables:
    """Add the runtime's tables to a service's metadata and return handles on them."""
    return RuntimeTables(
        outbox=_outbox(metadata),
        inbox=_inbox(metadata),
        timer=_timer(metadata),
        dead_letter=_dead_letter(metadata),
        parked=_parked(metadata),
        partition=_partition(metadata),
        lease=_lease(metadata),
    )


def _outbox(metadata: sa.MetaData) -> sa.Table:
    unpublished = sa.text("published_at IS NULL")
    return sa.Table(
        "outbox",
        metadata,
        sa.Column("municipality", sa.String(64), nullable=False),
        sa.Column("seq", BigSerial, primary_key=True, autoincrement=True),
        sa.Column("lane", sa.SmallInteger, nullable=False),
        sa.Column("topic", sa.String(128), nullable=False),
        sa.Column("key", sa.String(256)),
        sa.Column("partition", sa.Integer),
        sa.Column("hold", sa.String(400), nullable=False),
        sa.Column("event_id", sa.String(512), nullable=False),
        sa.Column("headers", sa.LargeBinary, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("published_at", UtcDateTime),
        sa.Index("outbox_unpublished", "lane", "seq", postgresql_where=unpublished, sqlite_where=unpublished),
        sa.Index("outbox_published", "published_at"),
        sqlite_autoincrement=True,
    )


def _inbox(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        "inbox",
        metadata,
        sa.Column("municipality", sa.String(64), primary_key=True),
        sa.Column("consumer", sa.String(128), primary_key=True),
        sa.Column("event_id", sa.String(512), primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Index("inbox_at", "at"),
    )


def _timer(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        "timer",
        metadata,
        sa.Column("municipality", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(256), primary_key=True),
        sa.Column("step", sa.String(128), primary_key=True),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.Column("try_at", UtcDateTime, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Index("timer_try_at", "try_at"),
    )


def _dead_letter(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        "dead_letter",
        metadata,
        sa.Column("municipality", sa.String(64), nullable=False),
        sa.Column("id", BigSerial, primary_key=True, autoincrement=True),
        sa.Column("topic", sa.String(128), nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("key", sa.LargeBinary),
        sa.Column("headers", sa.LargeBinary, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("value_bytes", sa.Integer, nullable=False),
        sa.Column("value_sha256", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(128), nullable=False),
        sa.Column("detail", sa.String(1000), nullable=False),
        sa.Column("is_attack", sa.Boolean, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("state", sa.String(16), nullable=False, server_default="new"),
        sa.UniqueConstraint(  # The hash: offsets begin again when a topic is made anew.
            "municipality", "topic", "partition", "offset", "value_sha256", name="dead_letter_once"
        ),
        sqlite_autoincrement=True,
    )


def _parked(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        "parked",
        metadata,
        sa.Column("municipality", sa.String(64), primary_key=True),
        sa.Column("waits_for", sa.String(256), primary_key=True),
        sa.Column("event_id", sa.String(512), primary_key=True),
        sa.Column("topic", sa.String(128), nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("key", sa.LargeBinary),
        sa.Column("headers", sa.LargeBinary, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("parked_at", UtcDateTime, nullable=False),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.Column("shown_at", UtcDateTime),
        sa.Index("parked_due_at", "due_at"),
    )


def _partition(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        "partition",
        metadata,
        sa.Column("topic", sa.String(128), primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.String(128), nullable=False),
        quote=True,
    )


def _lease(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        "lease",
        metadata,
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("holder", sa.String(128), nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
    )
