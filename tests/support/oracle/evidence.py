"""What a run left behind, as plain JSON, and the reading of it. No service is asked from here."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.support.oracle.fold import moment

Json = Mapping[str, Any]

TO_RESIDENTS = frozenset({"warning", "renewal", "correction", "lift"})
# The first copy of a message that ended so reached nobody: a second one is no duplicate.
NOT_REACHED = frozenset({"undelivered", "failed", "busy", "no-answer", "canceled"})


@dataclass(frozen=True, slots=True)
class Evidence:
    """One municipality's run; see the package's docstring for the shape of each part."""

    accepted: Sequence[Json]
    ledger: Sequence[Json]
    sensors: Mapping[str, Json]
    incidents: Sequence[Json]
    messages: Sequence[Json] = ()
    warnings: Sequence[Json] = ()
    changes: Sequence[Json] | None = None
    answers: Sequence[Json] | None = None
    tasks: Sequence[Json] | None = None
    started_at: datetime | None = None
    until: datetime | None = None
    held_up: timedelta = timedelta(0)

    @staticmethod
    def read(told: Json) -> Evidence:
        """Read the JSON form.

        Raises:
            KeyError: A part without which nothing can be compared is absent.
        """
        triage, notify = told["triage"], told["notify"]
        return Evidence(
            accepted=told["accepted"],
            ledger=told["ledger"],
            sensors=triage["sensors"],
            incidents=triage["incidents"],
            changes=triage.get("changes"),
            messages=notify.get("messages", ()),
            warnings=notify.get("warnings", ()),
            answers=notify.get("answers"),
            tasks=notify.get("tasks"),
            started_at=moment(told["started_at"]) if told.get("started_at") else None,
            until=moment(told["until"]) if told.get("until") else None,
            held_up=timedelta(seconds=told.get("held_up_s") or 0),
        )


@dataclass(frozen=True, slots=True)
class Delivery:
    """One text or call that the carrier took, with what notify says it was."""

    sid: str
    phone: str
    channel: str
    text: str
    via: str
    message_id: str | None
    row: Json = field(default_factory=dict)
    reached: bool = True

    @property
    def purpose(self) -> str | None:
        told = self.row.get("purpose")
        return str(told) if told is not None else None

    @property
    def copies_of(self) -> tuple[str, ...]:
        """Return what two deliveries share when one is a duplicate of the other."""
        row = self.row
        if row and row.get("purpose") != "reply":
            # An incident that rises after its warning was lifted has a second one, versions from 1 on.
            named = ("incident_id", "warning_id", "purpose", "version", "round")
            parts = (row.get(name) for name in named)
            # A warning is one text per version whatever it says; two pages of one round may say two things.
            words = "" if row.get("purpose") in TO_RESIDENTS else self.text
            return (self.phone, self.channel, *(str(part) for part in parts), words)
        if self.message_id is not None:
            return (self.phone, self.channel, self.message_id)
        return (self.phone, self.channel, self.text)


def deliveries(evidence: Evidence, town_id: str) -> list[Delivery]:
    """Return the carrier's texts and calls of this town. One that names another town is that town's."""
    rows = {row["message_id"]: row for row in evidence.messages}
    ended = {row["sid"]: row["status"] for row in evidence.ledger if row["kind"] == "status"}
    found = []
    for entry in evidence.ledger:
        if entry["kind"] not in {"message", "call"}:
            continue
        token, plain = words_in(entry.get("status_callback"))
        town, named = (token[0], token[1]) if token else (None, None)
        if town not in {None, town_id}:
            continue
        message_id = next((word for word in (named, *plain) if word in rows), named)
        found.append(
            Delivery(
                sid=entry["sid"],
                phone=entry["phone"],
                channel=entry["channel"],
                text=entry.get("text") or "",
                via=entry.get("via", "api"),
                message_id=message_id,
                row=rows.get(message_id or "", {}),
                reached=ended.get(entry["sid"]) not in NOT_REACHED,
            )
        )
    return found


def words_in(url: str | None) -> tuple[list[str], list[str]]:
    """Return what a callback URL names: the lines of a token in its query, and its plain parts.

    A token is base64 before a dot; its first two lines are municipality and message id.
    """
    if not url:
        return [], []
    parts = urlsplit(url)
    values = [value for _, value in parse_qsl(parts.query)]
    tokens = [lines for value in values if (lines := _lines(value.partition(".")[0]))]
    plain = [*values, *(unquote(part) for part in parts.path.split("/") if part)]
    return (tokens[0] if tokens else []), plain


def replies(ledger: Iterable[Json]) -> list[Json]:
    """Return what phones answered, each with ``taken`` as the carrier saw it."""
    taken = {row["answer"]: row["taken"] for row in ledger if row["kind"] == "answer_taken"}
    return [{**row, "taken": taken.get(row["answer"], False)} for row in ledger if row["kind"] == "answer"]


def _lines(token: str) -> list[str]:
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        lines = raw.decode().split("\n")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return []
    return lines if len(lines) > 1 else []
