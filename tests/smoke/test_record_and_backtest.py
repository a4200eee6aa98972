"""What a running system decided is decided again from its record, to the last settled change."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from municipio import decisions
from municipio.client import Client
from municipio.errors import DependencyDown
from municipio.keyring import operator_key_file
from municipio.ports import Ports
from municipio.replay import Summary, Target, run
from municipio.stack import Stack
from schemas.vocabulary import Verb

pytestmark = [pytest.mark.smoke, pytest.mark.timeout(400)]

ROOT = Path(__file__).resolve().parents[2]
TOWN = "ejemplo"
START = datetime(2026, 5, 4, 6, tzinfo=UTC)
HOURS, EVERY_MIN, RATE = 6, 5, 900
SILENT, SILENT_HOURS = "rc-mercado", (2.0, 4.5)
RISE_M_H = {"rc-arriba": 0.30, "rc-puente": 0.55, "rc-vado": 0.50, SILENT: 0.40}
FIRST_M = {"rc-arriba": 1.6, "rc-puente": 1.5, "rc-vado": 1.45, SILENT: 1.7}
KILLED_AFTER_H, DECIDED_AFTER_H = 2.2, 4.0

Json = dict[str, Any]


@dataclass
class Lived:
    """A run with faults: what the town decided, and what its record says."""

    summary: Summary
    changes: list[Json]
    note: Json
    again: Json
    killed: int


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    folder = tmp_path_factory.mktemp("record")
    file = faulty(folder / "readings.csv", random.Random(4))
    with Stack(folder / "copy", ports=Ports.free()) as stack:
        stack.ready()
        yield live(stack, file, folder)


def faulty(path: Path, dice: random.Random) -> Path:
    """A rising river with late, very late, doubled and shuffled readings, and a gauge that falls silent."""
    rows = []
    for step in range(HOURS * 60 // EVERY_MIN):
        hours = step * EVERY_MIN / 60
        for sensor_id, rise in RISE_M_H.items():
            if sensor_id == SILENT and SILENT_HOURS[0] <= hours < SILENT_HOURS[1]:
                continue
            value = round(FIRST_M[sensor_id] + rise * hours + dice.uniform(-0.06, 0.06), 3)
            seen = START + timedelta(hours=hours)
            late = dice.choices([0, 12, 25], weights=[80, 15, 5])[0]
            rows.append((seen, sensor_id, value, seen + timedelta(minutes=late)))
            if dice.random() < 0.1:
                rows.append((seen, sensor_id, value, seen + timedelta(minutes=late + 7)))
    dice.shuffle(rows)
    with path.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["observed_at", "sensor_id", "property", "value", "unit", "received_at"])
        for seen, sensor_id, value, came in rows:
            writer.writerow([seen.isoformat(), sensor_id, "river_level", value, "m", came.isoformat()])
    return path


def live(stack: Stack, file: Path, folder: Path) -> Lived:
    """Play the file by the running clock, kill triage, decide as a person, and record it all."""
    client = stack.client()
    target = Target(TOWN, stack.urls, stack.admin_token, stack.copy.clock_file, key=stack.source_key(TOWN))
    with ThreadPoolExecutor(1) as aside:
        disturbed = aside.submit(disturb, stack, client)
        summary = run([file], target, speed=RATE, rate_after=0)
        killed = disturbed.result(60)
    settle(client)
    changes = client.items("triage", "/admin/v1/changes", municipality=TOWN)
    data, out = str(stack.copy.data), str(folder / "taped")
    end = START + timedelta(hours=HOURS + 2)
    span = ("--from", (START - timedelta(hours=1)).isoformat(), "--to", end.isoformat())
    note = municipio("record", *span, "--data", data, "--out", out)
    return Lived(summary, changes, note, municipio("backtest", out), killed)


def disturb(stack: Stack, client: Client) -> int:
    """Kill triage, report and decide while the river rises; return the process that was killed."""
    wait_until(client, KILLED_AFTER_H)
    killed = stack.kill("triage")
    wait_until(client, DECIDED_AFTER_H)
    report(stack, client)
    key = decisions.read_key(operator_key_file(stack.copy.keys, TOWN, "ana"))
    hazard = open_hazard(client)
    # The second is refused: nobody lowers what is still in danger below a level that stands, nor twice.
    for fields in ({"verb": Verb.RAISE, "level": 4}, {"verb": Verb.RAISE, "level": 2}):
        said = {**fields, "incident_id": hazard["incident_id"], "reason": "ensayo"}
        decision = decisions.decision_of("ana", said, decisions.town_now(client))
        decisions.hand_over(client, TOWN, decisions.signed(decision, TOWN, key))
        decisions.ruling_of(client, TOWN, decision.decision_id)
    return killed


def open_hazard(client: Client) -> Json:
    """Return the mildest that is open, as soon as triage is back and knows one."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(DependencyDown):
            found = client.items("triage", "/admin/v1/incidents", municipality=TOWN, state="open")
            if hazards := [each for each in found if each["kind"] == "hazard"]:
                return min(hazards, key=lambda each: int(each["level"]))
        time.sleep(0.1)
    pytest.fail("no hazard is open")


def report(stack: Stack, client: Client) -> None:
    """Somebody sees a child in the water, and calls no gauge by name."""
    said = {
        "municipality": TOWN,
        "category": "flood",
        "text": "hay un niño atrapado por el agua",
        "zone": "la-vega",
        "channel": "web",
        "reported_at": decisions.town_now(client),
        "event_id": "report-of-the-smoke-test",
    }
    answer = httpx.post(f"{stack.urls['ingest']}/v1/reports", json=said, trust_env=False)
    assert 201 == answer.status_code, answer.text


def wait_until(client: Client, hours: float) -> None:
    while datetime.fromisoformat(decisions.town_now(client)) < START + timedelta(hours=hours) or (
        datetime.fromisoformat(decisions.town_now(client)) > START + timedelta(days=30)
    ):
        time.sleep(0.1)


def settle(client: Client) -> None:
    """Wait until triage has counted what ingest has accepted."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        accepted = client.items("ingest", "/admin/v1/accepted", municipality=TOWN)
        counted = client.items("triage", "/admin/v1/verdicts", municipality=TOWN)
        counts = {each["sensor_id"]: each["count"] for each in counted if each["count"]}
        if counts == {each["sensor_id"]: each["count"] for each in accepted}:
            time.sleep(1.5)
            return
        time.sleep(0.2)
    pytest.fail("triage did not catch up")


def municipio(*words: str) -> Json:
    """Run a command as a shell would and return its JSON."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MUNICIPIO_")}
    done = subprocess.run(
        [sys.executable, "-c", "from municipio.cli import main; main()", *words, "--json"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    said: Json = json.loads(done.stdout)
    return said


def moment(said: str | None) -> datetime | None:
    return datetime.fromisoformat(said).astimezone(UTC) if said else None


def verdict(row: Json) -> tuple[Any, ...]:
    names = ("kind", "rule", "sensor_id", "zone", "from", "to", "incident_id")
    return *(row[name] for name in names), moment(row["observed_at"])


def test_the_run_had_its_faults(lived: Lived) -> None:
    """Otherwise the other tests prove little."""
    assert lived.killed
    assert lived.summary.counts["duplicates"] > 10
    kinds = {row["kind"] for row in lived.changes}
    assert {"condition", "silence", "incident", "decision"} <= kinds
    codes = {reason["code"].partition(".")[0] for row in lived.changes for reason in row["reasons"]}
    assert {"late", "silence", "level", "incident"} <= codes
    assert {"reading", "tick", "report", "decision"} <= lived.note["inputs"].keys()
    assert lived.note["is_whole"]


def test_every_settled_change_is_the_same(lived: Lived) -> None:
    """As often, of the same incident, from the same reading."""
    live = Counter(verdict(row) for row in lived.changes if not row["provisional"])
    again = Counter(verdict(row) for row in lived.again["changes"] if not row["provisional"])
    assert (Counter(), Counter()) == (live - again, again - live)


def test_in_one_partition_everything_is_the_same_in_the_same_order(lived: Lived) -> None:
    """Provisional ones too, each at its own time, with its own reasons: two gauges share a partition."""

    def of_partition(rows: list[Json]) -> list[tuple[Any, ...]]:
        return [
            (*verdict(row), moment(row["at"]), row["provisional"], [each["text"] for each in row["reasons"]])
            for row in rows
            if row["sensor_id"] == "rc-puente" and row["kind"] != "incident"
        ]

    assert of_partition(lived.changes) == of_partition(lived.again["changes"])


def test_incidents_came_about_in_the_order_of_record(lived: Lived) -> None:
    """Every version, reports and decisions included, at its own time."""

    def versions(rows: list[Json]) -> list[tuple[Any, ...]]:
        return [(*verdict(row), moment(row["at"])) for row in rows if row["kind"] in {"incident", "decision"}]

    assert versions(lived.changes) == versions(lived.again["changes"])


def test_what_people_decided_is_not_called_simulated(lived: Lived) -> None:
    """They did decide it."""
    assert not [row for row in lived.again["changes"] if row["simulated"]]
