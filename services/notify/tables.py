"""Every table that notify owns. Municipality is the first column and part of every key.

Phones are never in clear: ``phone_enc`` is AES-256-GCM, ``phone_index`` a keyed HMAC for looking one up.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from services.runtime.tables import UtcDateTime, runtime_tables

metadata = MetaData()
runtime = runtime_tables(metadata)
Utc = UtcDateTime


def _town() -> Column[str]:
    return Column("municipality", String(64), nullable=False)


# Who can be told. ``kind``: person (on duty, from the directory) or resident (imported, with consent).
recipient = Table(
    "recipient",
    metadata,
    _town(),
    Column("recipient_id", String(128), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("role", String(64)),
    Column("phone_enc", LargeBinary, nullable=False),
    Column("phone_index", String(64), nullable=False),
    Column("language", String(16), nullable=False, server_default="es"),
    Column("zone", String(128)),
    Column("block", String(128)),
    Column("distance_m", Float, nullable=False, server_default="0"),
    Column("opted_out", Boolean, nullable=False, server_default=text("false")),
    Column("opted_out_at", Utc),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("imported_at", Utc, nullable=False),
    PrimaryKeyConstraint("municipality", "recipient_id"),
    Index("recipient_zone", "municipality", "kind", "zone", "distance_m", "recipient_id"),
    Index("recipient_phone", "phone_index", "municipality"),
)

# The exact bytes that go out. ``body_id`` is the SHA-256 of language, voice and text.
body = Table(
    "body",
    metadata,
    _town(),
    Column("body_id", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("language", String(16), nullable=False),
    Column("voice", Boolean, nullable=False, server_default=text("false")),
    PrimaryKeyConstraint("municipality", "body_id"),
)

_OPEN = "state IN ('planned', 'sending', 'unresolved')"
_WITH_CARRIER = "state IN ('accepted', 'queued', 'sent')"

# One message to one recipient, planned -> sending -> accepted -> ... -> delivered. ``sending_at`` is set by
# the claim and cleared when the carrier refused for certain and the row goes back to planned, so that "was
# this person told?" can be read from it. ``withdrawn_at``: what it says is over; it never goes out again.
delivery = Table(
    "delivery",
    metadata,
    _town(),
    Column("message_id", String(160), nullable=False),
    Column("alert_id", String(64), nullable=False),
    Column("incident_id", String(128), nullable=False),
    Column("warning_id", String(64)),
    Column("version", Integer),
    Column("purpose", String(16), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("round", Integer, nullable=False, server_default="0"),
    Column("recipient_id", String(128), nullable=False),
    Column("body_id", String(64), nullable=False),
    Column("lane", Integer, nullable=False),
    Column("rank", Float, nullable=False, server_default="0"),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("lease_until", Utc),
    Column("next_attempt_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
    Column("sender", String(64)),
    Column("sid", String(64)),
    Column("code", Integer),
    Column("content_hash", String(64)),
    Column("exercise_id", String(128)),
    Column("correlation_id", String(128)),
    Column("planned_at", Utc, nullable=False),
    Column("sending_at", Utc),
    Column("accepted_at", Utc),
    Column("sent_at", Utc),
    Column("delivered_at", Utc),
    Column("answered_at", Utc),
    Column("withdrawn_at", Utc),
    Column("updated_at", Utc, nullable=False),
    Column("maybe_duplicate", Boolean, nullable=False, server_default=text("false")),
    PrimaryKeyConstraint("municipality", "message_id"),
    UniqueConstraint(
        "municipality", "alert_id", "recipient_id", "channel", "round", name="delivery_once_per_person"
    ),
    Index("delivery_sid", "sid"),
    Index("delivery_incident", "municipality", "incident_id", "recipient_id"),
    Index("delivery_warning", "municipality", "warning_id", "recipient_id"),
    Index(
        "delivery_due",
        "state",
        "lane",
        "rank",
        "next_attempt_at",
        postgresql_where=text(_OPEN),
        sqlite_where=text(_OPEN),
    ),
    Index(
        "delivery_to_poll",
        "next_attempt_at",
        postgresql_where=text(_WITH_CARRIER),
        sqlite_where=text(_WITH_CARRIER),
    ),
    Index(
        "delivery_open_until",
        "expires_at",
        postgresql_where=text(_OPEN),
        sqlite_where=text(_OPEN),
    ),
)

# Requests that the webhook door stored before answering; ``params_enc`` is sealed JSON, it holds numbers.
# ``municipality`` is ``*`` until the town is known.
door_inbox = Table(
    "door_inbox",
    metadata,
    _town(),
    Column("id", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("received_at", Utc, nullable=False),
    Column("params_enc", LargeBinary, nullable=False),
    Column("url", Text, nullable=False),
    Column("processed_at", Utc),
    Column("outcome", String(128)),
    PrimaryKeyConstraint("municipality", "id"),
    Index(
        "door_inbox_waiting",
        "received_at",
        postgresql_where=text("processed_at IS NULL"),
        sqlite_where=text("processed_at IS NULL"),
    ),
)

# What triage last said. ``told`` is the level and zones that people inside were last told of.
incident = Table(
    "incident",
    metadata,
    _town(),
    Column("incident_id", String(128), nullable=False),
    Column("version", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("hazard", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("level", Integer, nullable=False),
    Column("snapshot", JSON, nullable=False),
    Column("told", JSON, nullable=False),
    Column("plan_reasons", JSON, nullable=False),
    Column("exercise_id", String(128)),
    Column("correlation_id", String(128)),
    Column("held_at", Utc, nullable=False),
    PrimaryKeyConstraint("municipality", "incident_id"),
    Index("incident_open", "municipality", "state"),
)

# A group of messages with one reason: a page to one person, an authority request, a broadcast.
alert = Table(
    "alert",
    metadata,
    _town(),
    Column("alert_id", String(64), nullable=False),
    Column("incident_id", String(128), nullable=False),
    Column("incident_version", Integer, nullable=False),
    Column("level", Integer, nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("request_id", String(64)),
    Column("warning_id", String(64)),
    Column("warning_version", Integer),
    Column("channel", String(16), nullable=False, server_default="sms"),
    Column("escalation", JSON, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("exercise_id", String(128)),
    Column("dispatched_at", Utc, nullable=False),
    Column("acknowledged_at", Utc),
    Column("acknowledged_by", String(128)),
    PrimaryKeyConstraint("municipality", "alert_id"),
    Index("alert_incident", "municipality", "incident_id", "state"),
)

# Recipient expansion still to do, one row per alert, zone and language; the cursor is where it stopped.
expansion = Table(
    "expansion",
    metadata,
    _town(),
    Column("alert_id", String(64), nullable=False),
    Column("part", String(160), nullable=False),
    Column("zone", String(128), nullable=False),
    Column("language", String(16), nullable=False),
    Column("source", String(16), nullable=False),
    Column("template", JSON, nullable=False),
    Column("after_distance_m", Float, nullable=False, server_default="-1"),
    Column("after_recipient_id", String(128), nullable=False, server_default=""),
    Column("written", Integer, nullable=False, server_default="0"),
    Column("created_at", Utc, nullable=False),
    Column("done_at", Utc),
    PrimaryKeyConstraint("municipality", "alert_id", "part"),
    Index(
        "expansion_left",
        "municipality",
        "created_at",
        postgresql_where=text("done_at IS NULL"),
        sqlite_where=text("done_at IS NULL"),
    ),
)

# The warning as it stands; every event of its life is a row of ``warning_version``.
warning = Table(
    "warning",
    metadata,
    _town(),
    Column("warning_id", String(64), nullable=False),
    Column("incident_id", String(128), nullable=False),
    Column("number", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("level", Integer, nullable=False),
    Column("in_force_version", Integer),
    Column("valid_until", Utc),
    Column("verify_code", String(8), nullable=False),
    Column("ledger", JSON, nullable=False),
    Column("exercise_id", String(128)),
    Column("updated_at", Utc, nullable=False),
    PrimaryKeyConstraint("municipality", "warning_id"),
    UniqueConstraint("municipality", "incident_id", "number", name="warning_number"),
    Index("warning_state", "municipality", "state", "valid_until"),
)

# Immutable. ``event_type`` is what was published with this version.
warning_version = Table(
    "warning_version",
    metadata,
    _town(),
    Column("warning_id", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("event_type", String(64), nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("snapshot", JSON, nullable=False),
    Column("at", Utc, nullable=False),
    PrimaryKeyConstraint("municipality", "warning_id", "version"),
)

# What somebody is asked to sign: one row per content.
authority_request = Table(
    "authority_request",
    metadata,
    _town(),
    Column("request_id", String(64), nullable=False),
    Column("warning_id", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("incident_id", String(128), nullable=False),
    Column("incident_version", Integer, nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("alert_id", String(64), nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("opened_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
    Column("closed_at", Utc),
    Column("closed_by", String(128)),
    PrimaryKeyConstraint("municipality", "request_id"),
    Index("authority_request_open", "municipality", "incident_id", "state"),
)

# Four digits that stand for one question to one person. Live while ``closed_at`` is empty.
code = Table(
    "code",
    metadata,
    _town(),
    Column("subject_id", String(64), nullable=False),
    Column("person_id", String(128), nullable=False),
    Column("subject_kind", String(16), nullable=False),
    Column("incident_id", String(128), nullable=False),
    Column("code", String(8), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("locked_at", Utc),
    Column("issued_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
    Column("closed_at", Utc),
    PrimaryKeyConstraint("municipality", "subject_id", "person_id"),
    Index("code_live", "municipality", "person_id", "code"),
)

ack = Table(
    "ack",
    metadata,
    _town(),
    Column("ack_id", String(64), nullable=False),
    Column("alert_id", String(64), nullable=False),
    Column("incident_id", String(128), nullable=False),
    Column("person_id", String(128), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("reply_id", String(64)),
    Column("acknowledged_at", Utc, nullable=False),
    PrimaryKeyConstraint("municipality", "ack_id"),
    Index("ack_incident", "municipality", "incident_id"),
)

# Every answer that a phone gave, understood or not: nothing of what people say is lost.
reply = Table(
    "reply",
    metadata,
    _town(),
    Column("reply_id", String(64), nullable=False),
    Column("provider_id", String(64), nullable=False),
    Column("recipient_id", String(128), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("received_at", Utc, nullable=False),
    Column("text_enc", LargeBinary, nullable=False),
    Column("outcome", String(64), nullable=False),
    Column("detail", JSON, nullable=False),
    PrimaryKeyConstraint("municipality", "reply_id"),
    Index("reply_recipient", "municipality", "recipient_id", "received_at"),
)

decision = Table(
    "decision",
    metadata,
    _town(),
    Column("decision_id", String(128), nullable=False),
    Column("incident_id", String(128), nullable=False),
    Column("verb", String(16), nullable=False),
    Column("operator_id", String(128), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("received_at", Utc, nullable=False),
    Column("ruling", String(16)),
    Column("reasons", JSON),
    Column("ruled_by", String(64)),
    Column("ruled_at", Utc),
    PrimaryKeyConstraint("municipality", "decision_id"),
    Index("decision_incident", "municipality", "incident_id"),
)

# ``subject`` is the site or zone that the task is about: one task per incident, kind and subject.
task = Table(
    "task",
    metadata,
    _town(),
    Column("task_id", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("incident_id", String(128), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("snapshot", JSON, nullable=False),
    Column("at", Utc, nullable=False),
    PrimaryKeyConstraint("municipality", "task_id"),
    UniqueConstraint("municipality", "incident_id", "kind", "subject", name="task_once_per_subject"),
)

audit = Table(
    "audit",
    metadata,
    _town(),
    Column("audit_id", String(64), nullable=False),
    Column("at", Utc, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("action", String(64), nullable=False),
    Column("object_id", String(160), nullable=False),
    Column("detail", JSON, nullable=False),
    PrimaryKeyConstraint("municipality", "audit_id"),
    Index("audit_at", "municipality", "at"),
)
