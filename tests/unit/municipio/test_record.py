"""A record holds what was accepted and what was decided upon, in the order of record."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from municipio.backtest import recordings
from municipio.client import Client
from municipio.errors import WrongUse
from municipio.record import line_of, record
from municipio.rows import Findings
from schemas.municipality import Municipality, load_folder

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "deploy" / "municipalities" / "ejemplo"
SINCE, UNTIL = datetime(2026, 5, 4, tzinfo=UTC), datetime(2026, 5, 5, tzinfo=UTC)
AT = "2026-05-04T06:00:00+00:00"


def reading(n: int, value: float) -> dict[str, Any]:
    said = {"sensor_id": "rc-puente", "property": "river_level", "value": value, "unit": "m"}
    when = {"observed_at": f"2026-05-04T06:{n:02}:00+00:00", "received_at": f"2026-05-04T06:{n:02}:01+00:00"}
    return {"id": n, "n": n, **said, **when, "quality": "good", "sequence": None}


def logged(seq: int, kind: str, **body: Any) -> dict[str, Any]:
    return {"seq": seq, "kind": kind, "at": AT, "body": {"at": AT, **body}}


class TwoPages(Client):
    """Services that answer one item a page."""

    def __init__(self, readings: list[dict[str, Any]], inputs: list[dict[str, Any]]) -> None:
        super().__init__({})
        self._lists = {"ingest": readings, "triage": inputs}

    def get(self, service: str, path: str, **query: str | int | None) -> dict[str, Any]:
        at = int(query["cursor"] or 0)
        items = self._lists[service][at : at + 1]
        return {"items": items, "next": at + 1 if at + 1 < len(self._lists[service]) else None}


@pytest.fixture(scope="module")
def town() -> Municipality:
    return load_folder(FOLDER)


def test_what_was_recorded_is_read_again(tmp_path: Path, town: Municipality) -> None:
    """Readings to the last digit, inputs in their order; only the owner may read them."""
    moved = {"sensor_id": "rc-puente", "observed_at": AT, "received_at": AT, "level": 1}
    decided = {
        "decision_id": "d",
        "incident_id": "i",
        "verb": "raise",
        "operator_id": "ana",
        "decided_at": AT,
    }
    client = TwoPages(
        [reading(1, 0.1 + 0.2), reading(2, 2.0)],
        [logged(1, "condition_moved", **moved), logged(2, "decision", **decided)],
    )
    note = record(client, town, FOLDER, SINCE, UNTIL, tmp_path / "taped")

    taped = recordings.read(tmp_path / "taped", Findings())
    assert [0.1 + 0.2, 2.0] == [row.body["value"] for row in taped.readings]
    assert ["reading", "decision"] == [line["kind"] for line in taped.inputs]
    assert (2, {"decision": 1, "reading": 1}, True) == (note["readings"], note["inputs"], note["is_whole"])
    assert {0o600} == {path.stat().st_mode & 0o777 for path in (tmp_path / "taped").iterdir()}


def test_a_record_that_begins_in_the_middle_says_so(tmp_path: Path, town: Municipality) -> None:
    """Its sensors' conditions begin at normal, whatever they were."""
    client = TwoPages([reading(5, 2.0)], [])
    assert not record(client, town, FOLDER, SINCE, UNTIL, tmp_path / "taped")["is_whole"]


def test_nothing_is_overwritten(tmp_path: Path, town: Municipality) -> None:
    """A record is evidence."""
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(WrongUse, match="not empty"):
        record(TwoPages([], []), town, FOLDER, SINCE, UNTIL, tmp_path)


def test_a_gauge_that_never_spoke_keeps_the_start_of_its_watch() -> None:
    """Its incident's id follows from that moment."""
    silent = {"sensor_id": "rc-puente", "rule_id": "silencio-rio", "since": "2026-05-04T04:00:00+00:00"}
    line = line_of(logged(1, "sensor_silent", **silent))
    assert "observed_at" not in line
    ticks = list(recordings.in_order([], [line]))
    assert [line["since"], AT] == [at.isoformat() for at, _ in ticks]


BAD_LINES = {
    "no JSON": "{",
    "no time": json.dumps({"kind": "tick", "sensor_id": "rc-puente", "since": AT}),
    "no offset": json.dumps({"kind": "tick", "at": "2026-05-04T06:00:00", "sensor_id": "x", "since": AT}),
    "no sensor": json.dumps({"kind": "tick", "at": AT, "since": AT}),
    "no object": "7",
}


@pytest.mark.parametrize("line", BAD_LINES.values(), ids=BAD_LINES.keys())
def test_a_bad_line_is_named(line: str, tmp_path: Path) -> None:
    """File and line."""
    path = tmp_path / "inputs.ndjson"
    path.write_text(f"\n{line}\n")
    with pytest.raises(WrongUse, match=r"inputs\.ndjson:2"):
        recordings.decisions(path)
