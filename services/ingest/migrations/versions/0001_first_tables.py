"""The first tables of ingest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.runtime.migrations import first_tables
from services.runtime.tables import BigSerial, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    first_tables.create()
    op.create_table(
        "api_key",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("sensors", sa.JSON(), nullable=False),
        sa.Column("network", sa.String(length=64), nullable=True),
        sa.Column("reports", sa.Boolean(), nullable=False),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("may_sign", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=True),
        sa.Column("revoked_at", UtcDateTime, nullable=True),
        sa.PrimaryKeyConstraint("municipality", "key_id"),
    )
    op.create_table(
        "nonce",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("nonce", sa.String(length=128), nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("municipality", "key_id", "nonce"),
    )
    op.create_index("nonce_seen_at", "nonce", ["seen_at"], unique=False)
    op.create_table(
        "quarantine",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=512), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("first_at", UtcDateTime, nullable=False),
        sa.Column("last_at", UtcDateTime, nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("municipality", "digest"),
    )
    op.create_index("quarantine_last_at", "quarantine", ["last_at"], unique=False)
    op.create_table(
        "reading",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("id", BigSerial, autoincrement=True, nullable=False),
        sa.Column("identity", sa.String(length=320), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("sensor_id", sa.String(length=128), nullable=False),
        sa.Column("property", sa.String(length=32), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("observed_at", UtcDateTime, nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("quality", sa.String(length=16), nullable=False),
        sa.Column("correction", sa.Boolean(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("event_id", sa.String(length=128), nullable=True),
        sa.Column("stored_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("municipality", "identity", "value", name="reading_once"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "packed",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("id", BigSerial, autoincrement=True, nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("stored_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "series",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("sensor_id", sa.String(length=128), nullable=False),
        sa.Column("last_n", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.String(length=16), nullable=False),
        sa.Column("observed_at", UtcDateTime, nullable=True),
        sa.Column("received_at", UtcDateTime, nullable=True),
        sa.PrimaryKeyConstraint("municipality", "sensor_id"),
    )
    op.create_table(
        "source",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=512), nullable=False),
        sa.Column("window_at", UtcDateTime, nullable=False),
        sa.Column("poison", sa.Integer(), nullable=False),
        sa.Column("muted_at", UtcDateTime, nullable=True),
        sa.PrimaryKeyConstraint("municipality", "source"),
    )
    op.create_table(
        "tick",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("now", UtcDateTime, nullable=False),
        sa.Column("is_binding", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("municipality"),
    )
    op.create_table(
        "reading_hour",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("sensor_id", sa.String(length=128), nullable=False),
        sa.Column("property", sa.String(length=32), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("hour", UtcDateTime, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.Double(), nullable=False),
        sa.Column("least", sa.Double(), nullable=False),
        sa.Column("most", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("municipality", "sensor_id", "property", "unit", "hour"),
    )
    op.create_table(
        "report",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("report_id", sa.String(length=128), nullable=False),
        sa.Column("identity", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("category", sa.String(length=32), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=True),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("reported_at", UtcDateTime, nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("stored_at", UtcDateTime, nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.Column("judged_at", UtcDateTime, nullable=True),
        sa.Column("incident_id", sa.String(length=128), nullable=True),
        sa.PrimaryKeyConstraint("municipality", "report_id"),
        sa.UniqueConstraint("municipality", "identity", name="report_once"),
    )
    op.create_index("report_stored_at", "report", ["stored_at"], unique=False)
    op.create_table(
        "incident",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("incident_id", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
        sa.Column("stored_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("municipality", "incident_id"),
    )
    op.create_index("incident_stored_at", "incident", ["stored_at"], unique=False)
