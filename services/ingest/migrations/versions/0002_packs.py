"""Readings are kept as they travel, and recognised by what is shorter than themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op

from services.runtime.tables import BigSerial, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TOGETHER = 500
AT_ONCE = 1000


def upgrade() -> None:
    pack = op.create_table(
        "pack",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("id", BigSerial, autoincrement=True, nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("waits", sa.Boolean(), nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("stored_at", UtcDateTime, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "pack_waiting",
        "pack",
        ["id"],
        unique=False,
        postgresql_where=sa.text("waits"),
        sqlite_where=sa.text("waits = 1"),
    )
    op.create_table(
        "run",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("sensor_id", sa.String(length=128), nullable=False),
        sa.Column("last_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("municipality", "sensor_id", "last_us"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "seen",
        sa.Column("municipality", sa.String(length=64), nullable=False),
        sa.Column("identity", sa.String(length=320), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("municipality", "identity", "value"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO seen (municipality, identity, value, n)"
        " SELECT municipality, identity, value, n FROM reading"
    )
    _keep(pack, op.get_bind())
    op.drop_table("packed")
    op.drop_table("reading")


def _keep(pack: sa.Table, conn: sa.Connection) -> None:
    """Copy the record of what was accepted, and behind it what still waits, which is a part of it."""
    travels: dict[tuple[str, str], set[int]] = {}
    for row in _rows(conn, PACKED):
        for each in _bodies(row):
            travels.setdefault((row["municipality"], each["sensor_id"]), set()).add(each["n"])
    for commit, group in groupby(
        _rows(conn, READING), itemgetter("municipality", "received_at", "stored_at")
    ):
        kept = [row for row in group if row["n"] not in travels.get((commit[0], row["sensor_id"]), ())]
        for start in range(0, len(kept), TOGETHER):
            some = [_measured(row) for row in kept[start : start + TOGETHER]]
            body = msgspec.json.encode(some)[1:-1]
            moments = {"received_at": commit[1], "stored_at": commit[2]}
            # No partition is needed: whoever publishes it again looks up where its sensors belong.
            said = {
                "municipality": commit[0],
                "partition": 0,
                "count": len(some),
                "waits": False,
                "body": body,
            }
            conn.execute(pack.insert().values(**said, **moments))
    for row in _rows(conn, PACKED):
        received_at = datetime.fromisoformat(_bodies(row)[0]["received_at"])
        said = {name: row[name] for name in ("municipality", "partition", "count", "stored_at", "body")}
        conn.execute(pack.insert().values(**said, received_at=received_at, waits=True))


READING = sa.table(
    "reading",
    *(sa.column(name) for name in ("municipality", "id", "value", "n", "sensor_id", "property", "unit")),
    *(sa.column(name) for name in ("quality", "sequence", "event_id")),
    sa.column("correction", sa.Boolean),
    *(sa.column(name, UtcDateTime) for name in ("observed_at", "received_at", "stored_at")),
)
PACKED = sa.table(
    "packed",
    *(sa.column(name) for name in ("municipality", "id", "partition", "count", "body")),
    sa.column("stored_at", UtcDateTime),
)
OPTIONAL = ("sequence", "event_id")
ALWAYS = (
    "n",
    "sensor_id",
    "property",
    "value",
    "unit",
    "observed_at",
    "received_at",
    "quality",
    "correction",
)


def _rows(conn: sa.Connection, table: sa.TableClause) -> Iterator[sa.RowMapping]:
    """Return all rows in the order of their numbers, some at a time."""
    last_id = 0
    while True:
        wanted = sa.select(table).where(table.c.id > last_id).order_by(table.c.id).limit(AT_ONCE)
        rows = conn.execute(wanted).mappings().all()
        if not rows:
            return
        yield from rows
        last_id = rows[-1]["id"]


def _bodies(row: sa.RowMapping) -> list[dict[str, Any]]:  # Any: a JSON value
    found: list[dict[str, Any]] = msgspec.json.decode(b"[" + bytes(row["body"]) + b"]")
    return found


def _measured(row: sa.RowMapping) -> dict[str, Any]:  # Any: a JSON value
    said = {name: row[name] for name in ALWAYS}
    return said | {name: row[name] for name in OPTIONAL if row[name] is not None}
