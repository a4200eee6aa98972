"""Write down a span of a running system's time, so that it can be decided again."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

from municipio.backtest.recordings import INPUTS, NOTE, READINGS, SCHEMA
from municipio.client import Client
from municipio.errors import WrongUse
from schemas.municipality import Municipality

PAGE: Final = 2000
COLUMNS: Final = (
    "observed_at",
    "sensor_id",
    "property",
    "value",
    "unit",
    "sequence",
    "quality",
    "received_at",
)
Progress = Callable[[str], None]
Row = Mapping[str, Any]  # Any: a JSON object that a service answered


def record(
    client: Client,
    town: Municipality,
    folder: Path,
    since: datetime,
    until: datetime,
    out: Path,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Write the folder ``out`` and return its note.

    Args:
        client: Of the running copy.
        town: As its folder says it now; a backtest of the record wants the same rulebook.
        folder: Where that was read.
        since: Readings received and inputs decided from here on.
        until: And before this.
        out: Absent or empty.
        progress: Told of every page.

    Raises:
        WrongUse: There is something in ``out``.
        DependencyDown: A service does not answer.
    """
    _make(out)
    span = {"municipality": town.id, "since": since.isoformat(), "until": until.isoformat()}
    with _private(out / READINGS) as file:
        readings, is_whole = _write_readings(
            file, _pages(client, "ingest", "/admin/v1/readings", span, progress)
        )
    with _private(out / INPUTS) as file:
        inputs = _write_inputs(file, _pages(client, "triage", "/admin/v1/inputs", span, progress))
    note = {
        "schema": SCHEMA,
        "municipality": town.id,
        "folder": str(folder),
        "rulebook_version": town.rulebook_version,
        "from": since.isoformat(),
        "to": until.isoformat(),
        "readings": readings,
        "inputs": dict(sorted(inputs.items())),
        "is_whole": is_whole,
    }
    with _private(out / NOTE) as file:
        file.write(json.dumps(note, indent=2) + "\n")
    return note


def line_of(logged: Row) -> dict[str, Any]:
    """Return the line of ``inputs.ndjson`` for one row of triage's log of inputs."""
    kind, body = logged["kind"], logged["body"]
    if kind in {"condition_moved", "sensor_heard"}:
        names = ("sensor_id", "observed_at", "received_at")
        return {"kind": "reading", "at": logged["at"], **{name: body[name] for name in names}}
    if kind == "sensor_silent":
        line = {"kind": "tick", "at": logged["at"], "sensor_id": body["sensor_id"], "since": body["since"]}
        if body.get("value") is None:
            return line
        return {**line, "observed_at": body["since"], "received_at": body["received_at"]}
    return {"kind": kind, **body}


def _write_readings(file: IO[str], rows: Iterable[Row]) -> tuple[int, bool]:
    """Write readings; return how many, and whether every sensor's series is there from its beginning."""
    writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    first: dict[str, int] = {}
    count = 0
    for row in rows:
        first.setdefault(row["sensor_id"], row["n"])
        writer.writerow({**row, "value": repr(row["value"])})
        count += 1
    return count, all(n == 1 for n in first.values())


def _write_inputs(file: IO[str], rows: Iterable[Row]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for row in rows:
        line = line_of(row)
        counts[line["kind"]] += 1
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return counts


def _pages(
    client: Client, service: str, path: str, span: Mapping[str, str], progress: Progress
) -> Iterator[Row]:
    cursor: int | None = None
    count = 0
    while True:
        page = client.get(service, path, **span, cursor=cursor, limit=PAGE)
        yield from page["items"]
        count += len(page["items"])
        progress(f"{service} {count}")
        cursor = page.get("next")
        if cursor is None:
            return


def _make(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise WrongUse(f"--out: {out} is there already and not empty; give another folder.")
    out.mkdir(parents=True, exist_ok=True, mode=0o700)


@contextmanager
def _private(path: Path) -> Iterator[IO[str]]:
    """Open a new file that only its owner can read: reports hold people's own words."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        yield file
