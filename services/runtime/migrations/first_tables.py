"""The runtime's tables as they were first released, for the first migration of each service.

Frozen: a later change is a migration of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.runtime.tables import BigSerial, UtcDateTime

_UNPUBLISHED = sa.text("published_at IS NULL")


def create() -> None:
    """Create all seven; called from a migration's ``upgrade``."""
    _outbox()
    _inbox_and_timer()
    _dead_letter()
    _parked()
    _partition_and_lease()


def _outbox() -> None:
    op.create_table(
        "outbox",
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
        sqlite_autoincrement=True,
    )
    op.create_index(
        "outbox_unpublished",
        "outbox",
        ["lane", "seq"],
        postgresql_where=_UNPUBLISHED,
        sqlite_where=_UNPUBLISHED,
    )
    op.create_index("outbox_published", "outbox", ["published_at"])


def _inbox_and_timer() -> None:
    op.create_table(
        "inbox",
        sa.Column("municipality", sa.String(64), primary_key=True),
        sa.Column("consumer", sa.String(128), primary_key=True),
        sa.Column("event_id", sa.String(512), primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
    )
    op.create_index("inbox_at", "inbox", ["at"])
    op.create_table(
        "timer",
        sa.Column("municipality", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(256), primary_key=True),
        sa.Column("step", sa.String(128), primary_key=True),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.Column("try_at", UtcDateTime, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    )
    op.create_index("timer_try_at", "timer", ["try_at"])


def _dead_letter() -> None:
    op.create_table(
        "dead_letter",
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
        sa.UniqueConstraint(
            "municipality", "topic", "partition", "offset", "value_sha256", name="dead_letter_once"
        ),
        sqlite_autoincrement=True,
    )


def _parked() -> None:
    op.create_table(
        "parked",
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
    )
    op.create_index("parked_due_at", "parked", ["due_at"])


def _partition_and_lease() -> None:
    op.create_table(
        "partition",
        sa.Column("topic", sa.String(128), primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.String(128), nullable=False),
        quote=True,
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("holder", sa.String(128), nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
    )
