"""The first tables of the console, those of the runtime among them."""

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
        "audit",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("id", BigSerial, autoincrement=True, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("kind", sa.String(length=128), nullable=False),
        sa.Column("topic", sa.String(length=128), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.String(length=1000), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "decision",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("decision_id", sa.String(length=128), nullable=False),
        sa.Column("incident_id", sa.String(length=128), nullable=False),
        sa.Column("ruling", sa.String(length=32), nullable=True),
        sa.Column("began_at", UtcDateTime, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("said", sa.JSON(), nullable=True),
        sa.Column("ruled", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("municipality", "decision_id"),
    )
    op.create_index("decision_began", "decision", ["municipality", "began_at", "decision_id"], unique=False)
    op.create_index("decision_of_incident", "decision", ["municipality", "incident_id"], unique=False)
    op.create_table(
        "event",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=512), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("incident_id", sa.String(length=128), nullable=False),
        sa.Column("subject_id", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("exercise_id", sa.String(length=512), nullable=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("municipality", "event_id"),
    )
    op.create_index("event_of_incident", "event", ["municipality", "incident_id", "at"], unique=False)
    op.create_index("event_of_subject", "event", ["municipality", "subject_id", "version"], unique=False)
    op.create_table(
        "heard",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("topic", sa.String(length=128), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("municipality", "topic"),
    )
    op.create_table(
        "incident",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("incident_id", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("began_at", UtcDateTime, nullable=False),
        sa.Column("exercise_id", sa.String(length=512), nullable=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("municipality", "incident_id"),
    )
    op.create_index("incident_began", "incident", ["municipality", "began_at", "incident_id"], unique=False)
    op.create_table(
        "message",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.String(length=128), nullable=False),
        sa.Column("incident_id", sa.String(length=128), nullable=False),
        sa.Column("warning_id", sa.String(length=128), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("recipient_id", sa.String(length=128), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("exercise_id", sa.String(length=512), nullable=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("handed_over_at", UtcDateTime, nullable=True),
        sa.Column("delivered_at", UtcDateTime, nullable=True),
        sa.PrimaryKeyConstraint("municipality", "message_id"),
    )
    op.create_index(
        "message_of_incident", "message", ["municipality", "incident_id", "message_id"], unique=False
    )
    op.create_index("message_of_warning", "message", ["municipality", "warning_id", "version"], unique=False)
    op.create_table(
        "task",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("task_id", sa.String(length=128), nullable=False),
        sa.Column("incident_id", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("began_at", UtcDateTime, nullable=False),
        sa.Column("exercise_id", sa.String(length=512), nullable=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("municipality", "task_id"),
    )
    op.create_index("task_began", "task", ["municipality", "began_at", "task_id"], unique=False)
    op.create_index("task_of_incident", "task", ["municipality", "incident_id"], unique=False)
    op.create_table(
        "town",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("folder_hash", sa.String(length=128), nullable=False),
        sa.Column("rulebook_version", sa.String(length=128), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("municipality"),
    )
    op.create_table(
        "warning",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("warning_id", sa.String(length=128), nullable=False),
        sa.Column("incident_id", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("in_force_version", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("began_at", UtcDateTime, nullable=False),
        sa.Column("exercise_id", sa.String(length=512), nullable=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("municipality", "warning_id"),
    )
    op.create_index("warning_began", "warning", ["municipality", "began_at", "warning_id"], unique=False)
    op.create_index("warning_of_incident", "warning", ["municipality", "incident_id"], unique=False)
    op.create_table(
        "report",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("report_id", sa.String(length=128), nullable=False),
        sa.Column("incident_id", sa.String(length=128), nullable=True),
        sa.Column("verdict", sa.String(length=32), nullable=True),
        sa.Column("began_at", UtcDateTime, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("said", sa.JSON(), nullable=True),
        sa.Column("judged", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("municipality", "report_id"),
    )
    op.create_index("report_began", "report", ["municipality", "began_at", "report_id"], unique=False)
    op.create_index("report_of_incident", "report", ["municipality", "incident_id"], unique=False)
