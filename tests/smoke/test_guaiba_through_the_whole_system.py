"""The flood of May 2024 in Porto Alegre passes through every process, as its gauge recorded it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from municipio.ports import Ports
from municipio.profiles import profile_named
from municipio.replay import Summary, Target, run
from municipio.stack import Stack

pytestmark = [pytest.mark.smoke, pytest.mark.real_data, pytest.mark.timeout(400)]

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT.parent / "shared" / "data" / "sensors" / "guaiba_portoalegre_15min_2024.csv"
TOWN = "porto-alegre-ensayo"
TOWNS = ROOT / "deploy" / "rehearsals"
GAUGE, RULE = "guaiba-cais-maua", "guaiba-cais-maua"
LOCAL = timezone(timedelta(hours=-3))
FIRST, LAST = datetime(2024, 5, 1, tzinfo=LOCAL), datetime(2024, 5, 7, tzinfo=LOCAL)
SILENT_SINCE = datetime(2024, 5, 2, 23, 15, tzinfo=LOCAL)
BACK_AT = datetime(2024, 5, 3, 15, 0, tzinfo=LOCAL)
ROWS, DAY_TWICE, ROWS_TWICE = 432, "04/05/2024", 40

Json = dict[str, Any]


@dataclass
class Played:
    """What the town said while its gauge was dead, and at the end."""

    summary: Summary
    incidents: list[Json]
    changes: list[Json]
    tasks: list[Json]
    sensor: Json
    dead: list[tuple[Json, list[Json]]] = field(default_factory=list)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    if not RECORD.exists():
        pytest.skip(f"the record of the Guaíba is not beside the project: {RECORD}")
    folder = tmp_path_factory.mktemp("guaiba")
    again = folder / "again.csv"
    rows = RECORD.read_text(encoding="utf-8").splitlines(keepends=True)
    again.write_text(rows[0] + "".join(row for row in rows if row.startswith(DAY_TWICE)), encoding="utf-8")
    with Stack(folder / "copy", ports=Ports.free(), municipalities_dir=TOWNS) as stack:
        stack.ready()
        yield play(stack, [RECORD, again])


def play(stack: Stack, files: list[Path]) -> Played:
    """Replay six days and ask the services what they hold."""
    client, dead = stack.client(), []

    def look(summary: Summary) -> None:
        assert summary.town_now is not None
        if SILENT_SINCE + timedelta(minutes=90) <= summary.town_now < BACK_AT:
            dead.append((the_sensor(client), incidents(client)))

    target = Target(
        TOWN,
        stack.urls,
        stack.admin_token,
        stack.copy.clock_file,
        key=stack.source_key(TOWN),
        kafka_bootstrap=stack.bootstrap,
    )
    profile = profile_named("guaiba", TOWNS / TOWN)
    summary = run(files, target, profile=profile, since=FIRST, until=LAST, rate_after=0, progress=look)
    changes = client.items("triage", "/admin/v1/changes", municipality=TOWN)
    tasks = client.items("notify", "/admin/v1/tasks", municipality=TOWN)
    return Played(summary, incidents(client), changes, tasks, the_sensor(client), dead)


def incidents(client: Any) -> list[Json]:
    """Return every incident with its versions."""
    heads = client.items("triage", "/admin/v1/incidents", municipality=TOWN)
    return [
        client.get("triage", f"/admin/v1/incidents/{each['incident_id']}", municipality=TOWN)
        for each in heads
    ]


def the_sensor(client: Any) -> Json:
    (found,) = client.items("triage", "/admin/v1/verdicts", municipality=TOWN)
    return dict(found)


def of_kind(found: list[Json], kind: str) -> Json:
    """Return the only incident of a kind."""
    (one,) = (each for each in found if each["kind"] == kind)
    return one


def local(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone(LOCAL).strftime("%m-%d %H:%M")


def test_every_row_was_taken_and_what_came_twice_was_counted(played: Played) -> None:
    """Nothing refused; the day that the network sends a second time is duplicates, never further readings."""
    counts = played.summary.counts
    assert (0, 0) == (counts["rejected_count"], played.summary.findings.broken_count)
    assert (ROWS, ROWS_TWICE, 0) == tuple(counts[name] for name in ("accepted", "duplicates", "corrections"))
    assert ROWS == played.sensor["count"]


def test_the_condition_crosses_each_level_when_the_river_did(played: Played) -> None:
    """3.00 m at 13:15 on the second of May, of the town's own time."""
    moves = [
        (local(each["observed_at"]), each["from"], each["to"])
        for each in played.changes
        if each["kind"] == "condition" and each["rule"] == RULE and each["provisional"]
    ]
    assert [("05-02 04:00", 0, 2), ("05-02 13:15", 2, 3), ("05-02 22:00", 3, 4)] == moves


def test_the_silence_is_one_task_and_still_the_only_one(played: Played) -> None:
    """From 23:15 on; the two hours of 05-04 join it, gaps of an hour open none."""
    silence = of_kind(played.incidents, "no_data")
    assert "05-02 23:15" == local(silence["versions"][0]["observed_at"])
    codes = [each["reasons"][0]["code"] for each in silence["versions"]]
    assert ["silence.site_opened", "silence.back", "silence.site_joined", "silence.back"] == codes
    assert "open" == silence["state"]
    assert ["read_gauge"] == [task["kind"] for task in played.tasks if task["kind"] == "read_gauge"]


def test_a_dead_gauge_keeps_its_condition(played: Played) -> None:
    """Silence is not all-clear: level 4 with state no_data, at every moment that anything was decided."""
    assert played.dead
    for sensor, found in played.dead:
        assert sensor["silent"]
        assert 4 == sensor["conditions"][RULE]["level"]
        assert 4 == of_kind(found, "hazard")["level"]


def test_nothing_is_ever_lowered(played: Played) -> None:
    """The incident is a ratchet, and nobody decided to lower it."""
    hazard = of_kind(played.incidents, "hazard")
    levels = [each["level"] for each in hazard["versions"]]
    assert sorted(levels) == levels
    assert (4, "open") == (hazard["level"], hazard["state"])
