"""A backtest decides as the live system would: whatever the order of the file, with silences and a person."""

from __future__ import annotations

import csv
import json
import random
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from municipio.backtest.operator import ClosesAfter, Never
from municipio.backtest.run import Backtest, run
from municipio.backtest.series import Played, crossings
from municipio.cli import run as municipio
from municipio.columns import at_once
from municipio.profiles import profile_named
from schemas.municipality import load_folder

ROOT = Path(__file__).resolve().parents[3]
TOWN = ROOT / "deploy" / "rehearsals" / "porto-alegre-ensayo"
MARKS = TOWN / "cotas.yaml"
DATA = ROOT.parent / "shared" / "data" / "sensors"
RECORD = DATA / "guaiba_portoalegre_15min_2024.csv"
START = datetime(2024, 5, 1, 3, tzinfo=UTC)
STEP = timedelta(minutes=15)
HEAD = "observed_at,sensor_id,property,value,unit,received_at\n"
Rows = list[tuple[datetime, float, datetime]]


def river() -> Rows:
    """Rise to 3.7 m, a gap of one hour, one of three hours, fall below 2.9 m, quiet for ten hours."""
    values = (
        [2.8 + 0.05 * step for step in range(20)] + [3.7] * 20 + [3.7 - 0.05 * step for step in range(20)]
    )
    values += [2.5] * 40
    gone = {*range(24, 27), *range(30, 41)}
    times = [START + STEP * at for at in range(len(values))]
    return [(at, round(values[n], 2), at) for n, at in enumerate(times) if n not in gone]


def written(path: Path, rows: Iterable[tuple[datetime, float, datetime]]) -> Path:
    lines = [
        f"{seen.isoformat()},guaiba-cais-maua,river_level,{value},m,{came.isoformat()}\n"
        for seen, value, came in rows
    ]
    path.write_text(HEAD + "".join(lines))
    return path


def decided(path: Path, *, operator: Any = None) -> Backtest:
    town = load_folder(TOWN, rulebook=MARKS)
    return run([path], town, operator=operator or ClosesAfter())


def verdicts(done: Backtest) -> tuple[Any, Any, Any]:
    said = done.as_json()
    return said["changes"], said["messages"], said["silences"]


def settled(done: Backtest) -> set[tuple[Any, ...]]:
    return {
        (row["rule"], row["observed_at"], row["from"], row["to"])
        for row in done.as_json()["changes"]
        if row["kind"] == "condition" and not row["provisional"]
    }


def rises(done: Backtest) -> list[tuple[str, int]]:
    rows = done.as_json()["changes"]
    return [
        (row["observed_at"][:16], row["to"])
        for row in rows
        if row["kind"] == "condition" and row["provisional"] and row["to"] > row["from"]
    ]


def test_conditions_incidents_silences_and_messages_of_a_flood(tmp_path: Path) -> None:
    """Each level once, one silence, one task for it, and everything closed by the simulated operator."""
    done = decided(written(tmp_path / "river.csv", river()))
    said = done.as_json()

    assert [2, 3, 4] == [level for _, level in rises(done)]
    assert [("cais-maua", "silencio-cais-maua")] == [(one["site"], one["rule"]) for one in said["silences"]]
    assert said["silences"][0]["from"] == (START + 29 * STEP).astimezone(done.town.book.time_zone).isoformat()
    assert ["alert_brigade", "read_gauge"] == [task["kind"] for task in said["tasks"]]
    closed = [row for row in said["changes"] if row["simulated"]]
    assert [("incident", 0)] * 2 == [(row["kind"], row["to"]) for row in closed]
    assert {"guardia", "residents", "brigada-ilhas"} == {row["audience"] for row in said["messages"]}
    assert all(row["segments"] >= 1 for row in said["messages"])
    assert (said["messages"][0]["level"], said["comparison"]) == (2, None)


def test_times_carry_the_towns_offset(tmp_path: Path) -> None:
    """Porto Alegre is three hours behind UTC."""
    said = decided(written(tmp_path / "river.csv", river())).as_json()
    assert {"-03:00"} == {row["at"][-6:] for row in [*said["changes"], *said["messages"]]}


def test_shuffled_and_doubled_file_decides_the_same(tmp_path: Path) -> None:
    """The order of rows in a file and their repetition mean nothing."""
    rows = river()
    plain = decided(written(tmp_path / "plain.csv", rows))
    for seed in range(5):
        mixed = rows * 2
        random.Random(seed).shuffle(mixed)
        other = decided(written(tmp_path / "mixed.csv", mixed))
        assert verdicts(plain) == verdicts(other)
        assert len(rows) == other.as_json()["duplicates"]


def test_readings_that_arrive_out_of_order_settle_the_same(tmp_path: Path) -> None:
    """Within the lateness only what is provisional may differ."""
    rows = [row for row in river() if row[0] < START + 24 * STEP]
    quiet = [(START + STEP * at, 3.7, START + STEP * at) for at in range(24, 40)]
    plain = decided(written(tmp_path / "plain.csv", [*rows, *quiet]), operator=Never())
    for seed in range(5):
        dice = random.Random(seed)
        late = [(seen, value, seen + timedelta(minutes=dice.choice([0, 14]))) for seen, value, _ in rows]
        other = decided(written(tmp_path / "late.csv", [*late, *late, *quiet]), operator=Never())
        assert settled(plain) == settled(other)


def test_nobody_closes_when_there_is_no_operator(tmp_path: Path) -> None:
    """Down is a decision."""
    done = decided(written(tmp_path / "river.csv", river()), operator=Never())
    assert not [row for row in done.as_json()["changes"] if row["simulated"]]
    assert 2 == len(done.town.state.town.incidents)


def command(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code = municipio(["backtest", "--municipality", str(TOWN), "--json", *words])
    return code, json.loads(capsys.readouterr().out or "{}")


def test_command_compares_rulebooks_and_names_unknown_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Several rulebooks stand beside each other; a column that nobody reads is named."""
    path = written(tmp_path / "river.csv", river())
    path.write_text(
        path.read_text().replace("received_at\n", "received_at,turbidity\n").replace(":00\n", ":00,7\n")
    )
    words = ("--rulebook", str(MARKS), "--rulebook", str(TOWN / "rulebook.yaml"))
    code, said = command(capsys, str(path), *words, "--operator", "never")
    assert (0, "municipio/backtest/1") == (code, said["schema"])
    assert ["turbidity"] == said["unknown_columns"]
    assert 2 == len({row["rulebook_version"] for row in said["comparison"]["items"]})


def test_decisions_of_a_file_are_simulated_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the file decides is listed as simulated, refusals included."""
    river_file = written(tmp_path / "river.csv", river())
    _, said = command(capsys, str(river_file), "--rulebook", str(MARKS), "--operator", "never")
    opened = next(row["incident_id"] for row in said["changes"] if row["kind"] == "incident")
    decision = {"kind": "decision", "decision_id": "d-1", "incident_id": opened, "verb": "raise", "level": 4}
    at = (START + 12 * STEP).isoformat()
    script = tmp_path / "operator.ndjson"
    script.write_text(json.dumps({**decision, "operator_id": "dora", "at": at, "decided_at": at}) + "\n")
    _, said = command(capsys, str(river_file), "--rulebook", str(MARKS), "--operator", str(script))
    assert [("incident", 4)] == [(row["kind"], row["to"]) for row in said["changes"] if row["simulated"]]


WRONG: dict[str, tuple[str, ...]] = {
    "no such file": ("nada.csv",),
    "no such profile": ("river.csv", "--profile", "nadie"),
    "no such rulebook": ("river.csv", "--rulebook", "nada.yaml"),
    "operator of no kind": ("river.csv", "--operator", "siempre"),
    "operator after nothing": ("river.csv", "--operator", "after:P"),
    "a folder that is no record": (".",),
}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG.keys())
def test_wrong_use_is_one_sentence_and_exit_2(
    words: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is decided then."""
    written(tmp_path / "river.csv", river())
    monkeypatch.chdir(tmp_path)
    assert 2 == municipio(["backtest", "--municipality", str(TOWN), *words])
    assert 1 == len(capsys.readouterr().err.strip().splitlines())


@pytest.fixture(scope="module")
def flood() -> Callable[[Path], Backtest]:
    if not RECORD.exists():
        pytest.skip(f"the record of the Guaíba is not beside the project: {RECORD}")

    def decide(path: Path) -> Backtest:
        return run(
            [path],
            load_folder(TOWN, rulebook=MARKS),
            profile=profile_named("guaiba", TOWN),
            operator=ClosesAfter(),
        )

    return decide


@pytest.mark.real_data
def test_guaiba_stood_at_its_marks_for_as_long_as_others_say() -> None:
    """The reference of a backtest is right: every event of the independent list, beginning and end."""
    if not RECORD.exists():
        pytest.skip(f"the record of the Guaíba is not beside the project: {RECORD}")
    town, played = load_folder(TOWN, rulebook=MARKS), Played([RECORD], profile_named("guaiba", TOWN), at_once)
    with (DATA / "ground_truth_crossings.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["series"] == "guaiba_15min"]
    truth = [(row["threshold"], row["first_at_or_above"], row["first_below_after"]) for row in rows]
    found = [
        (str(mark), f"{town.local(one.begins_at):%F %T}", f"{town.local(one.ends_at or one.begins_at):%F %T}")
        for mark in (3.0, 3.15, 3.6)
        for one in crossings(played, town, {"guaiba-cais-maua": mark})
    ]
    assert truth == found


SILENCES = ["05-02T23:15", "05-04T06:00", "05-11T08:15", "05-30T19:00", "05-30T21:00", "06-26T20:15"]


@pytest.mark.real_data
def test_guaiba_crosses_its_marks_when_others_say_so(flood: Callable[[Path], Backtest]) -> None:
    """Every published mark is reached at the minute that was computed independently."""
    done = flood(RECORD)
    levels = {3.0: 2, 3.15: 3, 3.6: 4}
    with (DATA / "ground_truth_crossings.csv").open(encoding="utf-8") as file:
        truth = sorted(
            (row["first_at_or_above"][:16].replace(" ", "T"), levels[float(row["threshold"])])
            for row in csv.DictReader(file)
            if row["series"] == "guaiba_15min"
        )
    assert truth == rises(done)


@pytest.mark.real_data
def test_guaiba_was_silent_six_times(flood: Callable[[Path], Backtest]) -> None:
    """Gaps of one hour are no silence; one open task a site; shuffled and doubled, nothing changes."""
    done = flood(RECORD)
    said = done.as_json()
    assert SILENCES == [one["from"][5:16] for one in said["silences"]]
    gauge = [task["incident_id"] for task in said["tasks"] if task["kind"] == "read_gauge"]
    assert len(gauge) == len(set(gauge)) == 5
    assert 66 == said["duplicates"]


@pytest.mark.real_data
def test_guaiba_shuffled_and_doubled_decides_the_same(
    flood: Callable[[Path], Backtest], tmp_path: Path
) -> None:
    """The whole file in any order, every row twice."""
    head, *rows = RECORD.read_text(encoding="utf-8").splitlines()
    mixed = rows * 2
    random.Random(7).shuffle(mixed)
    other = tmp_path / "mixed.csv"
    other.write_text("\n".join([head, *mixed]) + "\n", encoding="utf-8")
    assert verdicts(flood(RECORD)) == verdicts(flood(other))


@pytest.mark.real_data
def test_guaiba_takes_two_seconds_at_most(flood: Callable[[Path], Backtest]) -> None:
    """By the processor's clock: neighbours on the machine do not count."""
    began_s = time.process_time()
    flood(RECORD)
    assert time.process_time() - began_s <= 2.0
