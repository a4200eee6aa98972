"""Every table of the console. What is read from topics stands in ``READ_MODEL`` and may be made again.

Nothing here has a number or a time of its own making: the same records give the same rows.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from services.runtime.tables import BigSerial, UtcDateTime, runtime_tables

metadata = sa.MetaData()
runtime = runtime_tables(metadata)


def _town() -> sa.Column[str]:
    return sa.Column("municipality", sa.String(64), primary_key=True)


def _id(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(128), primary_key=True)


# Everything that happened to an incident but the fate of single messages; never changed.
event = sa.Table(
    "event",
    metadata,
    _town(),
    sa.Column("event_id", sa.String(512), primary_key=True),
    sa.Column("type", sa.String(64), nullable=False),
    sa.Column("incident_id", sa.String(128), nullable=False),
    sa.Column("subject_id", sa.String(128), nullable=False),
    sa.Column("version", sa.Integer),
    sa.Column("exercise_id", sa.String(512)),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Index("event_of_incident", "municipality", "incident_id", "at"),
    sa.Index("event_of_subject", "municipality", "subject_id", "version"),
)

# ``began_at`` orders a list and never changes; ``at`` is the time of the event that the row stands on.
incident = sa.Table(
    "incident",
    metadata,
    _town(),
    _id("incident_id"),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("state", sa.String(32), nullable=False),
    sa.Column("began_at", UtcDateTime, nullable=False),
    sa.Column("exercise_id", sa.String(512)),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Index("incident_began", "municipality", "began_at", "incident_id"),
)

# ``version`` is the newest, which may only have been asked for; ``in_force_version`` is what holds.
warning = sa.Table(
    "warning",
    metadata,
    _town(),
    _id("warning_id"),
    sa.Column("incident_id", sa.String(128), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("in_force_version", sa.Integer),
    sa.Column("state", sa.String(32), nullable=False),
    sa.Column("began_at", UtcDateTime, nullable=False),
    sa.Column("exercise_id", sa.String(512)),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Index("warning_began", "municipality", "began_at", "warning_id"),
    sa.Index("warning_of_incident", "municipality", "incident_id"),
)

task = sa.Table(
    "task",
    metadata,
    _town(),
    _id("task_id"),
    sa.Column("incident_id", sa.String(128), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("state", sa.String(32), nullable=False),
    sa.Column("began_at", UtcDateTime, nullable=False),
    sa.Column("exercise_id", sa.String(512)),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Index("task_began", "municipality", "began_at", "task_id"),
    sa.Index("task_of_incident", "municipality", "incident_id"),
)

# What a person said and what the verb's owner made of it; either may be known first.
decision = sa.Table(
    "decision",
    metadata,
    _town(),
    _id("decision_id"),
    sa.Column("incident_id", sa.String(128), nullable=False),
    sa.Column("ruling", sa.String(32)),
    sa.Column("began_at", UtcDateTime, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("said", sa.JSON),
    sa.Column("ruled", sa.JSON),
    sa.Index("decision_began", "municipality", "began_at", "decision_id"),
    sa.Index("decision_of_incident", "municipality", "incident_id"),
)

# What people reported and what triage made of it; either may be known first.
report = sa.Table(
    "report",
    metadata,
    _town(),
    _id("report_id"),
    sa.Column("incident_id", sa.String(128)),
    sa.Column("verdict", sa.String(32)),
    sa.Column("began_at", UtcDateTime, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("said", sa.JSON),
    sa.Column("judged", sa.JSON),
    sa.Index("report_began", "municipality", "began_at", "report_id"),
    sa.Index("report_of_incident", "municipality", "incident_id"),
)

# ``handed_over_at`` and ``delivered_at``: the first that was heard of it.
message = sa.Table(
    "message",
    metadata,
    _town(),
    _id("message_id"),
    sa.Column("incident_id", sa.String(128), nullable=False),
    sa.Column("warning_id", sa.String(128)),
    sa.Column("version", sa.Integer),
    sa.Column("recipient_id", sa.String(128), nullable=False),
    sa.Column("channel", sa.String(16), nullable=False),
    sa.Column("purpose", sa.String(32), nullable=False),
    sa.Column("state", sa.String(32), nullable=False),
    sa.Column("code", sa.Integer),
    sa.Column("exercise_id", sa.String(512)),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("handed_over_at", UtcDateTime),
    sa.Column("delivered_at", UtcDateTime),
    sa.Index("message_of_incident", "municipality", "incident_id", "message_id"),
    sa.Index("message_of_warning", "municipality", "warning_id", "version"),
)

town = sa.Table(
    "town",
    metadata,
    _town(),
    sa.Column("folder_hash", sa.String(128), nullable=False),
    sa.Column("rulebook_version", sa.String(128), nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
)

# The newest moment that each topic spoke of: how old what is shown may be.
heard = sa.Table(
    "heard",
    metadata,
    _town(),
    sa.Column("topic", sa.String(128), primary_key=True),
    sa.Column("at", UtcDateTime, nullable=False),
)

# Attempts on authority. Not part of the read model: it survives when that is made again.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("municipality", sa.String(64), nullable=False),
    sa.Column("id", BigSerial, primary_key=True, autoincrement=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("kind", sa.String(128), nullable=False),
    sa.Column("topic", sa.String(128), nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("offset", sa.BigInteger, nullable=False),
    sa.Column("detail", sa.String(1000), nullable=False),
    sqlite_autoincrement=True,
)

READ_MODEL: Final = (event, incident, warning, task, decision, report, message, town, heard)
