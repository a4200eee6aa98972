"""Every table that triage owns. Municipality is the first column and part of every key."""

from __future__ import annotations

import sqlalchemy as sa

from services.runtime.tables import BigSerial, UtcDateTime, runtime_tables

metadata = sa.MetaData()
runtime = runtime_tables(metadata)


def _town() -> sa.Column[str]:
    return sa.Column("municipality", sa.String(64), nullable=False)


# Stage 1: one row per sensor, small and versioned. The columns beside ``state`` are for people and proofs.
sensor = sa.Table(
    "sensor",
    metadata,
    _town(),
    sa.Column("sensor_id", sa.String(128), nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("last_n", sa.BigInteger, nullable=False),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.String(16), nullable=False),
    sa.Column("observed_at", UtcDateTime),
    sa.Column("state", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("municipality", "sensor_id"),
    sa.Index("sensor_partition", "partition"),
)

# Stage 2: one row per town, locked while it is decided over. ``seq`` numbers the inputs decided.
town = sa.Table(
    "town",
    metadata,
    _town(),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("folder_hash", sa.String(128)),
    sa.Column("state", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("municipality"),
)

# The order of record of what stage 2 decided upon.
input_log = sa.Table(
    "input_log",
    metadata,
    _town(),
    sa.Column("seq", sa.BigInteger, nullable=False, autoincrement=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("municipality", "seq"),
)

# Every verdict with its reasons, the verdict not to alert included.
change = sa.Table(
    "change",
    metadata,
    _town(),
    sa.Column("seq", BigSerial, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("sensor_id", sa.String(128)),
    sa.Column("incident_id", sa.String(64)),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("change_town", "municipality", "seq"),
    sa.Index("change_at", "at"),
    sqlite_autoincrement=True,
)

incident = sa.Table(
    "incident",
    metadata,
    _town(),
    sa.Column("incident_id", sa.String(64), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("level", sa.SmallInteger, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("opened_at", UtcDateTime, nullable=False),
    sa.PrimaryKeyConstraint("municipality", "incident_id"),
    sa.Index("incident_state", "municipality", "state", "opened_at"),
)

incident_version = sa.Table(
    "incident_version",
    metadata,
    _town(),
    sa.Column("incident_id", sa.String(64), nullable=False),
    sa.Column("version", sa.Integer, nullable=False, autoincrement=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("snapshot", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("municipality", "incident_id", "version"),
)

decision = sa.Table(
    "decision",
    metadata,
    _town(),
    sa.Column("decision_id", sa.String(128), nullable=False),
    sa.Column("incident_id", sa.String(128), nullable=False),
    sa.Column("operator_id", sa.String(128), nullable=False),
    sa.Column("verb", sa.String(32), nullable=False),
    sa.Column("ruling", sa.String(16), nullable=False),
    sa.Column("ruled_at", UtcDateTime, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("municipality", "decision_id"),
)

# What an auditor must see: attempts on authority, by identifiers only.
audit = sa.Table(
    "audit",
    metadata,
    _town(),
    sa.Column("id", BigSerial, primary_key=True, autoincrement=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("topic", sa.String(128), nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("offset", sa.BigInteger, nullable=False),
    sa.Column("detail", sa.String(1000), nullable=False),
    sqlite_autoincrement=True,
)
