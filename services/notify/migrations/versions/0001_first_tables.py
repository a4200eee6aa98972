"""The first tables of notify."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.runtime.migrations import first_tables
from services.runtime.tables import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    first_tables.create()

    op.create_table(
        "ack",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("ack_id", sa.String(length=64), nullable=False),
        sa.Column("alert_id", sa.String(length=64), nullable=False),
        sa.Column("incident_id", sa.String(length=128), nullable=False),
        sa.Column("person_id", sa.String(length=128), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("reply_id", sa.String(length=64), nullable=True),
        sa.Column("acknowledged_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("municipality", "ack_id"),
    )
    op.create_index("ack_incident", "ack", ["municipality", "incident_id"], unique=False)
    op.create_table(
        "alert",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("alert_id", sa.String(length=64), nullable=False),
        sa.Column("incident_id", sa.String(length=128), nullable=False),
        sa.Column("incident_version", sa.Integer(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.Column("warning_id", sa.String(length=64), nullable=True),
        sa.Column("warning_version", sa.Integer(), nullable=True),
        sa.Column("channel", sa.String(length=16), server_default="sms", nullable=False),
        sa.Column("escalation", sa.JSON(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("exercise_id", sa.String(length=128), nullable=True),
        sa.Column("dispatched_at", UtcDateTime, nullable=False),
        sa.Column("acknowledged_at", UtcDateTime, nullable=True),
        sa.Column("acknowledged_by", sa.String(length=128), nullable=True),
        sa.PrimaryKeyConstraint("municipality", "alert_id"),
    )
    op.create_index("alert_incident", "alert", ["municipality", "incident_id", "state"], unique=False)
    op.create_table(
        "audit",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("audit_id", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("object_id", sa.String(length=160), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("municipality", "audit_id"),
    )
    op.create_index("audit_at", "audit", ["municipality", "at"], unique=False)
    op.create_table(
        "authority_request",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("warning_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("incident_id", sa.String(length=128), nullable=False),
        sa.Column("incident_version", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("alert_id", sa.String(length=64), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("opened_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("closed_at", UtcDateTime, nullable=True),
        sa.Column("closed_by", sa.String(length=128), nullable=True),
        sa.PrimaryKeyConstraint("municipality", "request_id"),
    )
    op.create_index(
        "authority_request_open", "authority_request", ["municipality", "incident_id", "state"], unique=False
    )
    op.create_table(
        "body",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("body_id", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("voice", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.PrimaryKeyConstraint("municipality", "body_id"),
    )
    op.create_table(
        "code",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("subject_id", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=128), nullable=False),
        sa.Column("subject_kind", sa.String(length=16), nullable=False),
        sa.Column("incident_id", sa.String(length=128), nullable=False),
        sa.Column("code", sa.String(length=8), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("locked_at", UtcDateTime, nullable=True),
        sa.Column("issued_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("closed_at", UtcDateTime, nullable=True),
        sa.PrimaryKeyConstraint("municipality", "subject_id", "person_id"),
    )
    op.create_index("code_live", "code", ["municipality", "person_id", "code"], unique=False)
    op.create_table(
        "decision",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("decision_id", sa.String(length=128), nullable=False),
        sa.Column("incident_id", sa.String(length=128), nullable=False),
        sa.Column("verb", sa.String(length=16), nullable=False),
        sa.Column("operator_id", sa.String(length=128), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("ruling", sa.String(length=16), nullable=True),
        sa.Column("reasons", sa.JSON(), nullable=True),
        sa.Column("ruled_by", sa.String(length=64), nullable=True),
        sa.Column("ruled_at", UtcDateTime, nullable=True),
        sa.PrimaryKeyConstraint("municipality", "decision_id"),
    )
    op.create_index("decision_incident", "decision", ["municipality", "incident_id"], unique=False)
    op.create_table(
        "delivery",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.String(length=160), nullable=False),
        sa.Column("alert_id", sa.String(length=64), nullable=False),
        sa.Column("incident_id", sa.String(length=128), nullable=False),
        sa.Column("warning_id", sa.String(length=64), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("round", sa.Integer(), server_default="0", nullable=False),
        sa.Column("recipient_id", sa.String(length=128), nullable=False),
        sa.Column("body_id", sa.String(length=64), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Float(), server_default="0", nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_until", UtcDateTime, nullable=True),
        sa.Column("next_attempt_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("sender", sa.String(length=64), nullable=True),
        sa.Column("sid", sa.String(length=64), nullable=True),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("content_hash", sa.String(length=64), nullable=True),
        sa.Column("exercise_id", sa.String(length=128), nullable=True),
        sa.Column("correlation_id", sa.String(length=128), nullable=True),
        sa.Column("planned_at", UtcDateTime, nullable=False),
        sa.Column("sending_at", UtcDateTime, nullable=True),
        sa.Column("accepted_at", UtcDateTime, nullable=True),
        sa.Column("sent_at", UtcDateTime, nullable=True),
        sa.Column("delivered_at", UtcDateTime, nullable=True),
        sa.Column("answered_at", UtcDateTime, nullable=True),
        sa.Column("withdrawn_at", UtcDateTime, nullable=True),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("maybe_duplicate", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.PrimaryKeyConstraint("municipality", "message_id"),
        sa.UniqueConstraint(
            "municipality", "alert_id", "recipient_id", "channel", "round", name="delivery_once_per_person"
        ),
    )
    op.create_index(
        "delivery_due",
        "delivery",
        ["state", "lane", "rank", "next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('planned', 'sending', 'unresolved')"),
        sqlite_where=sa.text("state IN ('planned', 'sending', 'unresolved')"),
    )
    op.create_index(
        "delivery_incident", "delivery", ["municipality", "incident_id", "recipient_id"], unique=False
    )
    op.create_index(
        "delivery_open_until",
        "delivery",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('planned', 'sending', 'unresolved')"),
        sqlite_where=sa.text("state IN ('planned', 'sending', 'unresolved')"),
    )
    op.create_index("delivery_sid", "delivery", ["sid"], unique=False)
    op.create_index(
        "delivery_to_poll",
        "delivery",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('accepted', 'queued', 'sent')"),
        sqlite_where=sa.text("state IN ('accepted', 'queued', 'sent')"),
    )
    op.create_index(
        "delivery_warning", "delivery", ["municipality", "warning_id", "recipient_id"], unique=False
    )
    op.create_table(
        "door_inbox",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("params_enc", sa.LargeBinary(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("processed_at", UtcDateTime, nullable=True),
        sa.Column("outcome", sa.String(length=128), nullable=True),
        sa.PrimaryKeyConstraint("municipality", "id"),
    )
    op.create_index(
        "door_inbox_waiting",
        "door_inbox",
        ["received_at"],
        unique=False,
        postgresql_where=sa.text("processed_at IS NULL"),
        sqlite_where=sa.text("processed_at IS NULL"),
    )
    op.create_table(
        "expansion",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("alert_id", sa.String(length=64), nullable=False),
        sa.Column("part", sa.String(length=160), nullable=False),
        sa.Column("zone", sa.String(length=128), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("template", sa.JSON(), nullable=False),
        sa.Column("after_distance_m", sa.Float(), server_default="-1", nullable=False),
        sa.Column("after_recipient_id", sa.String(length=128), server_default="", nullable=False),
        sa.Column("written", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("done_at", UtcDateTime, nullable=True),
        sa.PrimaryKeyConstraint("municipality", "alert_id", "part"),
    )
    op.create_index(
        "expansion_left",
        "expansion",
        ["municipality", "created_at"],
        unique=False,
        postgresql_where=sa.text("done_at IS NULL"),
        sqlite_where=sa.text("done_at IS NULL"),
    )
    op.create_table(
        "incident",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("incident_id", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("hazard", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("snapshot", sa.JSON(), nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.Column("plan_reasons", sa.JSON(), nullable=False),
        sa.Column("exercise_id", sa.String(length=128), nullable=True),
        sa.Column("correlation_id", sa.String(length=128), nullable=True),
        sa.Column("held_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("municipality", "incident_id"),
    )
    op.create_index("incident_open", "incident", ["municipality", "state"], unique=False)
    op.create_table(
        "recipient",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("recipient_id", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=True),
        sa.Column("phone_enc", sa.LargeBinary(), nullable=False),
        sa.Column("phone_index", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=16), server_default="es", nullable=False),
        sa.Column("zone", sa.String(length=128), nullable=True),
        sa.Column("block", sa.String(length=128), nullable=True),
        sa.Column("distance_m", sa.Float(), server_default="0", nullable=False),
        sa.Column("opted_out", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("opted_out_at", UtcDateTime, nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.text("(true)"), nullable=False),
        sa.Column("imported_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("municipality", "recipient_id"),
    )
    op.create_index("recipient_phone", "recipient", ["phone_index", "municipality"], unique=False)
    op.create_index(
        "recipient_zone",
        "recipient",
        ["municipality", "kind", "zone", "distance_m", "recipient_id"],
        unique=False,
    )
    op.create_table(
        "reply",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("reply_id", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=False),
        sa.Column("recipient_id", sa.String(length=128), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("text_enc", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("municipality", "reply_id"),
    )
    op.create_index("reply_recipient", "reply", ["municipality", "recipient_id", "received_at"], unique=False)
    op.create_table(
        "task",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("task_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("incident_id", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("snapshot", sa.JSON(), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("municipality", "task_id"),
        sa.UniqueConstraint("municipality", "incident_id", "kind", "subject", name="task_once_per_subject"),
    )
    op.create_table(
        "warning",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("warning_id", sa.String(length=64), nullable=False),
        sa.Column("incident_id", sa.String(length=128), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("in_force_version", sa.Integer(), nullable=True),
        sa.Column("valid_until", UtcDateTime, nullable=True),
        sa.Column("verify_code", sa.String(length=8), nullable=False),
        sa.Column("ledger", sa.JSON(), nullable=False),
        sa.Column("exercise_id", sa.String(length=128), nullable=True),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("municipality", "warning_id"),
        sa.UniqueConstraint("municipality", "incident_id", "number", name="warning_number"),
    )
    op.create_index("warning_state", "warning", ["municipality", "state", "valid_until"], unique=False)
    op.create_table(
        "warning_version",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("warning_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("event_type", sa.String(length=64), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("snapshot", sa.JSON(), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("municipality", "warning_id", "version"),
    )
