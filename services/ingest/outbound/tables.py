"""The tables of ingest; ``municipality`` is the first column of each."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from services.runtime.tables import BigSerial, UtcDateTime, runtime_tables

metadata: Final = sa.MetaData()
RUNTIME: Final = runtime_tables(metadata)

# Accepted readings as they stand on the topic, some of one commit and partition a row: first what still has
# to be published, then the record of what was accepted.
PACK: Final = sa.Table(
    "pack",
    metadata,
    sa.Column("municipality", sa.String(64), nullable=False),
    # Ascending within each sensor: given while the sensor's series is locked. Never given twice: the
    # record's id is made of it.
    sa.Column("id", BigSerial, primary_key=True, autoincrement=True),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    # No record with it was confirmed. A boolean takes as much room as its opposite, so the row stays put.
    sa.Column("waits", sa.Boolean, nullable=False),
    sa.Column("received_at", UtcDateTime, nullable=False),
    # By the machine's clock, for retention: the town's clock jumps in a replay.
    sa.Column("stored_at", UtcDateTime, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("pack_waiting", "id", postgresql_where=sa.text("waits"), sqlite_where=sa.text("waits = 1")),
    sqlite_autoincrement=True,
)
# By which a reading is recognised when it comes again. Those of a sensor that came in the order observed are
# found by the moment of the last of each commit, many in a row; the others (late, with an id of their own,
# corrections) one by one, by identity.
RUN: Final = sa.Table(
    "run",
    metadata,
    sa.Column("municipality", sa.String(64), primary_key=True),
    sa.Column("sensor_id", sa.String(128), primary_key=True),
    sa.Column("last_us", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
SEEN: Final = sa.Table(
    "seen",
    metadata,
    sa.Column("municipality", sa.String(64), primary_key=True),
    sa.Column("identity", sa.String(320), primary_key=True),
    sa.Column("value", sa.Double, primary_key=True),
    sa.Column("n", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
# What is left of readings whose period is over: the good ones of an hour of observation.
READING_HOUR: Final = sa.Table(
    "reading_hour",
    metadata,
    sa.Column("municipality", sa.String(64), primary_key=True),
    sa.Column("sensor_id", sa.String(128), primary_key=True),
    sa.Column("property", sa.String(32), primary_key=True),
    sa.Column("unit", sa.String(32), primary_key=True),
    sa.Column("hour", UtcDateTime, primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("total", sa.Double, nullable=False),
    sa.Column("least", sa.Double, nullable=False),
    sa.Column("most", sa.Double, nullable=False),
)
SERIES: Final = sa.Table(
    "series",
    metadata,
    sa.Column("municipality", sa.String(64), primary_key=True),
    sa.Column("sensor_id", sa.String(128), primary_key=True),
    sa.Column("last_n", sa.BigInteger, nullable=False),
    sa.Column("fingerprint", sa.String(16), nullable=False),
    sa.Column("observed_at", UtcDateTime),
    sa.Column("received_at", UtcDateTime),
)
QUARANTINE: Final = sa.Table(
    "quarantine",
    metadata,
    sa.Column("municipality", sa.String(64), primary_key=True),
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("source", sa.String(512), nullable=False),
    sa.Column("reason", sa.String(64), nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("first_at", UtcDateTime, nullable=False),
    sa.Column("last_at", UtcDateTime, nullable=False),
    sa.Column("times", sa.BigInteger, nullable=False),
    sa.Index("quarantine_last_at", "last_at"),
)
API_KEY: Final = sa.Table(
    "api_key",
    metadata,
    sa.Column("municipality", sa.String(64), primary_key=True),
    sa.Column("key_id", sa.String(32), primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("sensors", sa.JSON, nullable=False),
    sa.Column("network", sa.String(64)),
    sa.Column("reports", sa.Boolean, nullable=False),
    sa.Column("label", sa.String(200), nullable=False),
    sa.Column("may_sign", sa.Boolean, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime),
    sa.Column("revoked_at", UtcDateTime),
)
NONCE: Final = sa.Table(
    "nonce",
    metadata,
    sa.Column("municipality", sa.String(64), primary_key=True),
    sa.Column("key_id", sa.String(32), primary_key=True),
    sa.Column("nonce", sa.String(128), primary_key=True),
    sa.Column("seen_at", UtcDateTime, nullable=False),
    sa.Index("nonce_seen_at", "seen_at"),
)
SOURCE: Final = sa.Table(
    "source",
    metadata,
    sa.Column("municipality", sa.String(64), primary_key=True),
    sa.Column("source", sa.String(512), primary_key=True),
    sa.Column("window_at", UtcDateTime, nullable=False),
    sa.Column("poison", sa.Integer, nullable=False),
    sa.Column("muted_at", UtcDateTime),
)
TICK: Final = sa.Table(
    "tick",
    metadata,
    sa.Column("municipality", sa.String(64), primary_key=True),
    sa.Column("now", UtcDateTime, nullable=False),
    sa.Column("is_binding", sa.Boolean, nullable=False),
)
# What people reported, without a word of theirs: those go on to triage and are not kept here.
REPORT: Final = sa.Table(
    "report",
    metadata,
    sa.Column("municipality", sa.String(64), primary_key=True),
    sa.Column("report_id", sa.String(128), primary_key=True),
    # Hash of source and idempotency key: whoever reads the table learns neither.
    sa.Column("identity", sa.String(64), nullable=False),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("category", sa.String(32), nullable=False),
    sa.Column("zone", sa.String(64)),
    sa.Column("channel", sa.String(16), nullable=False),
    sa.Column("reported_at", UtcDateTime, nullable=False),
    sa.Column("received_at", UtcDateTime, nullable=False),
    # By the machine's clock, for retention.
    sa.Column("stored_at", UtcDateTime, nullable=False),
    sa.Column("verdict", sa.String(16)),
    sa.Column("judged_at", UtcDateTime),
    sa.Column("incident_id", sa.String(128)),
    sa.UniqueConstraint("municipality", "identity", name="report_once"),
    sa.Index("report_stored_at", "stored_at"),
)
# How each incident stands, as far as a report's public status needs it.
INCIDENT: Final = sa.Table(
    "incident",
    metadata,
    sa.Column("municipality", sa.String(64), primary_key=True),
    sa.Column("incident_id", sa.String(128), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("changed_at", UtcDateTime, nullable=False),
    sa.Column("stored_at", UtcDateTime, nullable=False),
    sa.Index("incident_stored_at", "stored_at"),
)
