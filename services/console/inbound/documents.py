"""Rows of the read model as the documents that the doors give."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.console.outbound import views
from services.console.tables import decision, incident, message, report, task, warning

Json = dict[str, Any]  # Any: JSON documents


def incident_head(row: Mapping[str, Any], labels: Mapping[int, str]) -> Json:
    """Return where an incident stands, with the town's own word for its level."""
    body = row["body"]
    return {
        **body,
        "label": labels.get(body["level"]),
        "exercise_id": row["exercise_id"],
        "as_of": _said(row["at"]),
    }


def warning_head(row: Mapping[str, Any], labels: Mapping[int, str]) -> Json:
    """Return where a warning stands; its words are those of its newest version."""
    body = row["body"]
    return {
        **body,
        "state": row["state"],
        "in_force_version": row["in_force_version"],
        "label": labels.get(body["level"]),
        "exercise_id": row["exercise_id"],
        "began_at": _said(row["began_at"]),
        "as_of": _said(row["at"]),
    }


def task_document(row: Mapping[str, Any]) -> Json:
    return {
        **row["body"],
        "assigned_at": _said(row["began_at"]),
        "exercise_id": row["exercise_id"],
        "as_of": _said(row["at"]),
    }


def decision_document(row: Mapping[str, Any]) -> Json:
    """Return what was decided and what came of it; ``ruling`` is ``null`` while nobody answered."""
    said, ruled = row["said"] or {}, row["ruled"] or {}
    names = ("verb", "operator_id", "reason", "decided_at", "via", "version", "request_id", "level", "until")
    return {
        "decision_id": row["decision_id"],
        "incident_id": row["incident_id"],
        **{name: said.get(name, ruled.get(name)) for name in names},
        "ruling": row["ruling"],
        "reasons": ruled.get("reasons", []),
        "ruled_at": ruled.get("ruled_at"),
        "ruled_by": ruled.get("ruled_by"),
        "as_of": _said(row["at"]),
    }


def report_document(row: Mapping[str, Any]) -> Json:
    """Return what was reported and what it came to; ``verdict`` is ``null`` while nobody judged it."""
    said, judged = row["said"] or {}, row["judged"] or {}
    return {
        **said,
        "report_id": row["report_id"],
        "incident_id": row["incident_id"],
        "verdict": row["verdict"],
        **{name: judged.get(name) for name in ("reasons", "judged_at", "danger")},
        "as_of": _said(row["at"]),
    }


async def whole_incident(
    conn: AsyncConnection, municipality: str, row: Mapping[str, Any], labels: Mapping[int, str]
) -> Json:
    """Return an incident with all that happened to it, oldest first."""
    incident_id = row["incident_id"]
    only = {"incident_id": incident_id}

    async def of(table: Any) -> list[Json]:
        return await views.newest_first(conn, table, municipality, only=only, limit=1000)

    return {
        **incident_head(row, labels),
        "timeline": [
            {
                "at": _said(each["at"]),
                "type": each["type"],
                "subject_id": each["subject_id"],
                "version": each["version"],
                "said": each["body"],
            }
            for each in await views.events_of(conn, municipality, incident_id)
        ],
        "decisions": [decision_document(each) for each in await of(decision)],
        "warnings": [warning_head(each, labels) for each in await of(warning)],
        "tasks": [task_document(each) for each in await of(task)],
        "reports": [report_document(each) for each in await of(report)],
        "messages": await views.fates(conn, municipality, message.c.incident_id == incident_id),
    }


async def whole_warning(
    conn: AsyncConnection, municipality: str, row: Mapping[str, Any], labels: Mapping[int, str]
) -> Json:
    """Return a warning with every version: its words, its authority, its time lost and its messages."""
    warning_id = row["warning_id"]
    versions = [
        {
            **each["body"],
            "type": each["type"],
            "at": _said(each["at"]),
            "ledger": await views.ledger(conn, municipality, each),
            "messages": await views.fates(
                conn,
                municipality,
                message.c.warning_id == warning_id,
                message.c.version == each["version"],
            ),
        }
        for each in await views.versions_of(conn, municipality, warning_id)
    ]
    return {
        **warning_head(row, labels),
        "ledger": versions[-1]["ledger"],
        "versions": versions,
        "messages": await views.fates(conn, municipality, message.c.warning_id == warning_id),
        "message_ids": [
            each["message_id"]
            for each in await views.messages(conn, municipality, only={"warning_id": warning_id}, limit=5000)
        ],
    }


def _said(at: datetime) -> str:
    return at.isoformat()


TABLES = {
    "incidents": incident,
    "warnings": warning,
    "tasks": task,
    "decisions": decision,
    "reports": report,
}
