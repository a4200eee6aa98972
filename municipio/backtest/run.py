"""Run recorded readings through a town's rules and return what would have been decided and said."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from municipio.backtest import recordings
from municipio.backtest.intake import Intake
from municipio.backtest.operator import Never, Operator
from municipio.backtest.quick import QuickPlay
from municipio.backtest.series import Played, crossings
from municipio.backtest.skill import skill
from municipio.backtest.summary import summary
from municipio.backtest.telling import Messages
from municipio.backtest.town import Town
from municipio.backtest.truth import Event
from municipio.blocks import moment_of
from municipio.columns import NotInColumns, NotInOrder, Read, at_once, in_turn
from municipio.errors import WrongUse
from municipio.profiles import CANONICAL, recorded
from municipio.rows import FileUnreadable, Findings
from schemas.municipality import Municipality
from schemas.municipality.profile import Profile

SCHEMA: Final = "municipio/backtest/1"
Progress = Callable[[int, datetime, float | None], None]
"""Told how many readings were played, up to when, and which share of the files that is, where known."""


@dataclass(slots=True)
class Backtest:
    """One run under one rulebook; ``rulebook`` is its file's name, where it is not the town's own."""

    municipality: Municipality
    town: Town
    intake: Intake
    messages: Messages
    findings: Findings = field(default_factory=Findings)
    duration_s: float = 0.0
    rulebook: str | None = None
    played: Played | None = None
    events: Sequence[Event] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the document of ``municipio backtest --json``; times with the town's own offset."""
        taken, findings = self.intake.taken, self.findings
        skills = skill(self.municipality, self.town.changes, self.events) if self.events else []
        document = {
            "schema": SCHEMA,
            "municipality": self.municipality.id,
            "rulebook": self.rulebook,
            "rulebook_version": self.municipality.rulebook_version,
            "rows": findings.rows,
            "readings": taken.readings,
            "duplicates": taken.duplicates,
            "corrections": taken.corrections,
            "quarantined": taken.quarantined,
            "rejected_count": taken.rejected_count,
            "rejected": [_row(each.file, each.row, each.reason) for each in taken.rejected],
            "missing": findings.missing,
            "broken_count": findings.broken_count,
            "broken": [_row(each.file, each.row, each.reason) for each in findings.broken],
            "unknown_columns": findings.unknown_columns,
            "duration_s": round(self.duration_s, 3),
            "changes": [
                {**change.as_record(), "at": change.at, "observed_at": change.observed_at}
                for change in self.town.changes
            ],
            "messages": self.messages.items,
            "tasks": self.messages.tasks,
            "silences": [
                {
                    "site": one.site,
                    "rule": one.rule,
                    "opened_at": one.opened_at,
                    "from": one.since,
                    "to": one.to,
                }
                for one in self.town.silences
            ],
            "summary": self._summary(skills),
            "skill": skills,
            "events": [asdict(event) for event in self.events],
            "comparison": None,
        }
        return {name: self._shown(value) for name, value in document.items()}

    def _summary(self, skills: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        leads = {row["rule"]: row["lead_time_s"]["p50"] for row in reversed(skills) if row["lead_time_s"]}
        rows = summary(self.town.book, self.town.changes, self.town.silences, self.town.last_at)
        return [{**row, "lead_time_s": leads.get(row["rule"])} for row in rows]

    def _shown(self, value: Any) -> Any:  # Any: a JSON document
        if isinstance(value, datetime):
            return self.municipality.local(value).isoformat()
        if isinstance(value, dict):
            return {name: self._shown(inner) for name, inner in value.items()}
        return [self._shown(inner) for inner in value] if isinstance(value, list) else value


def run(
    files: Sequence[Path],
    municipality: Municipality,
    *,
    profile: Profile | None = None,
    operator: Operator | None = None,
    progress: Progress | None = None,
) -> Backtest:
    """Play files as if they had been live: what arrives, in the order of arrival, ticks in between.

    Raises:
        WrongUse: A file cannot be read by this profile.
    """
    started_s = time.monotonic()
    form = profile or CANONICAL
    try:
        done = _quickest(files, municipality, form, operator, progress)
    except FileUnreadable as err:
        raise WrongUse(str(err)) from err
    done.duration_s = time.monotonic() - started_s
    return done


def _quickest(
    files: Sequence[Path],
    municipality: Municipality,
    form: Profile,
    operator: Operator | None,
    progress: Progress | None,
) -> Backtest:
    """Begin in the quickest way; where that proves to be none for these files, begin again in the next."""
    try:
        try:
            return in_blocks(files, municipality, form, copy.deepcopy(operator), progress)
        except NotInOrder:
            return in_blocks(files, municipality, form, copy.deepcopy(operator), progress, read=at_once)
    except NotInColumns:
        return row_by_row(files, municipality, form, operator, progress)


def in_blocks(
    files: Sequence[Path],
    municipality: Municipality,
    form: Profile,
    operator: Operator | None,
    progress: Progress | None = None,
    *,
    read: Read = in_turn,
) -> Backtest:
    """Play files as columns, quiet readings many at a time.

    Raises:
        FileUnreadable: A file cannot be read by this profile.
        NotInOrder: They must be sorted first.
        NotInColumns: They must be read row by row.
    """
    done = _begin(municipality, operator, remembers=False)
    size = sum(path.stat().st_size for path in files if path.is_file()) or 1
    play = QuickPlay(done.town, done.intake)
    for block in read(files, form, done.findings):
        play.play(block)
        if progress is not None:
            share = done.findings.bytes_read / size if read is in_turn else None
            progress(done.intake.taken.readings, moment_of(int(block.at_us[-1])), share)
    done.town.settle()
    done.played = Played(files, form, read)
    return done


def row_by_row(
    files: Sequence[Path],
    municipality: Municipality,
    form: Profile,
    operator: Operator | None,
    progress: Progress | None = None,
) -> Backtest:
    """Play files in whatever order they stand; what is found is the same.

    Raises:
        FileUnreadable: A file cannot be read by this profile.
    """
    done = _begin(municipality, operator)
    for at, same in groupby(recorded(files, form, done.findings), key=attrgetter("at")):
        done.town.receive(at, done.intake.take(at, list(same)))
        if progress is not None:
            progress(done.intake.taken.readings, at, None)
    done.town.settle()
    done.played = Played(files, form, None)
    return done


def run_record(folder: Path, municipality: Municipality) -> Backtest:
    """Decide a record of ``municipio record`` again, in its own order, with the decisions that people made.

    Raises:
        WrongUse: It is no such record.
    """
    done = _begin(municipality, None, is_record=True)
    started_s = time.monotonic()
    record = recordings.read(folder, done.findings)
    rows = [(row, done.intake.take(row.at, [row])) for row in record.readings]
    for at, inputs in recordings.in_order([reading for _, taken in rows for reading in taken], record.inputs):
        done.town.put(at, inputs)
    done.played = Played([folder / recordings.READINGS], CANONICAL, None)
    done.duration_s = time.monotonic() - started_s
    return done


def measure(done: Backtest, told: Sequence[Event], marks: Mapping[str, float]) -> None:
    """Hold a backtest against what really happened: events that a file tells, and gauges over a mark."""
    crossed = crossings(done.played, done.municipality, marks) if marks and done.played else []
    done.events = sorted([*told, *crossed], key=lambda each: each.begins_at)


def compared(runs: Sequence[Backtest]) -> dict[str, Any] | None:
    """Return the runs beside each other; None where there is but one."""
    if len(runs) < 2:
        return None
    rows = []
    for each in runs:
        said = each.as_json()
        rows.append(
            {
                "rulebook": said["rulebook"],
                "rulebook_version": said["rulebook_version"],
                "incidents": len(
                    {row["incident_id"] for row in said["changes"] if row["kind"] == "incident"}
                ),
                "messages": len(said["messages"]),
                "silences": len(said["silences"]),
                "summary": said["summary"],
                "skill": said["skill"],
            }
        )
    return {"items": rows}


def _begin(
    municipality: Municipality, operator: Operator | None, *, is_record: bool = False, remembers: bool = True
) -> Backtest:
    messages = Messages(municipality)
    town = Town(municipality, operator or Never(), listener=messages.hear)
    return Backtest(
        municipality, town, Intake(municipality, is_record=is_record, remembers=remembers), messages
    )


def _row(file: str, row: int, reason: str) -> dict[str, Any]:
    return {"file": file, "row": row, "reason": reason}
