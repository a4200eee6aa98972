"""A backtest held against what really happened; hits, misses, false alarms and lead times by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from municipio.backtest.series import COLUMNS_MOST, Played, crossings, envelopes
from municipio.backtest.truth import events_of
from municipio.cli import run as municipio
from municipio.columns import in_turn
from municipio.errors import WrongUse
from municipio.profiles import CANONICAL
from schemas.municipality import Municipality, load_folder
from tests.support.towns import write_town

START = datetime(2026, 5, 1, 6, 0, tzinfo=UTC)
STEP = timedelta(minutes=15)
DAY = 96
"""Readings a day."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_town(tmp_path_factory.mktemp("towns"), "villa", zones=2, residents_per_zone=1).folder


@pytest.fixture(scope="module")
def town(folder: Path) -> Municipality:
    return load_folder(folder)


def moment(step: int) -> str:
    return (START + STEP * step).isoformat()


def river(path: Path, values: Sequence[float], order: int = 1) -> Path:
    rows = [f"{moment(step)},g-001,river_level,{value},m" for step, value in enumerate(values)]
    path.write_text("\n".join(["observed_at,sensor_id,property,value,unit", *rows[::order]]) + "\n")
    return path


def three_floods() -> list[float]:
    """Ten quiet days; on the second day 2.6 and then 3.1 m, on the fifth 2.6 m, on the eighth 3.1 m."""
    values = [2.0] * (10 * DAY)
    values[2 * DAY : 2 * DAY + 12] = [2.6] * 4 + [3.1] * 8
    values[5 * DAY : 5 * DAY + 8] = [2.6] * 8
    values[8 * DAY : 8 * DAY + 8] = [3.1] * 8
    return values


def truth(path: Path, *rows: str, header: str = "begins_at,ends_at,zone,level") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def said(capsys: pytest.CaptureFixture[str], folder: Path, *words: object) -> dict[str, Any]:
    code = municipio(["backtest", "--municipality", str(folder), "--json", *map(str, words)])
    assert 0 == code
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def row_of(answer: dict[str, Any], rule: str, level: int) -> dict[str, Any]:
    return next(row for row in answer["skill"] if (row["rule"], row["level"]) == (rule, level))


def test_thresholds_are_held_against_a_truth_file(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two of three alarms hit; an event that nobody saw is a miss; a level above the event's owes nothing."""
    path = truth(
        tmp_path / "truth.csv",
        f"{moment(2 * DAY + 6)},{moment(3 * DAY)},z-001,3",
        f"{moment(5 * DAY + 4)},{moment(6 * DAY)},z-001,2",
        f"{moment(7 * DAY - 8)},{moment(7 * DAY - 4)},z-001,2",
    )
    answer = said(capsys, folder, river(tmp_path / "a.csv", three_floods()), "--truth", path)

    assert {
        "rule": "r-001", "level": 2, "events": 3, "hits": 2, "misses": 1, "false_alarms": 1,
        "pod": 0.667, "far": 0.333, "lead_time_s": {"least": 3600.0, "p50": 3600.0, "most": 5400.0},
    } == row_of(answer, "r-001", 2)  # fmt: skip
    third = row_of(answer, "r-001", 3)
    assert (1, 1, 0, 1) == tuple(third[name] for name in ("events", "hits", "misses", "false_alarms"))
    assert {"least": 1800.0, "p50": 1800.0, "most": 1800.0} == third["lead_time_s"]
    assert (0, None, None) == tuple(row_of(answer, "r-002", 2)[name] for name in ("events", "pod", "far"))
    assert {"r-001": 3600.0, "r-002": None, "silencio": None} == {
        row["rule"]: row["lead_time_s"] for row in answer["summary"]
    }


def test_an_alarm_that_comes_late_has_a_negative_lead(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It hit all the same: the event was still there."""
    path = truth(tmp_path / "truth.csv", f"{moment(2 * DAY - 4)},{moment(3 * DAY)},,")
    answer = said(capsys, folder, river(tmp_path / "a.csv", three_floods()), "--truth", path)
    assert -3600.0 == row_of(answer, "r-001", 2)["lead_time_s"]["p50"]


def test_an_alarm_that_still_stands_foresees_a_day_at_most(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was about the event before."""
    values = [2.0] * DAY + [3.1] * (9 * DAY)
    path = truth(tmp_path / "truth.csv", f"{moment(8 * DAY)},,,")
    answer = said(capsys, folder, river(tmp_path / "a.csv", values), "--truth", path)
    assert 86_400.0 == row_of(answer, "r-001", 2)["lead_time_s"]["most"]


@pytest.mark.parametrize("order", [1, -1], ids=["in order", "newest first"])
def test_a_reference_level_says_what_happened(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], order: int
) -> None:
    """From the same files, whatever their order: two floods of 3.0 m, the first foreseen by an hour."""
    path = river(tmp_path / "a.csv", three_floods(), order)
    answer = said(capsys, folder, path, "--reference", "g-001=3.0")
    row = row_of(answer, "r-001", 2)
    assert (2, 2, 1) == (row["events"], row["hits"], row["false_alarms"])
    assert (0.0, 3600.0) == (row["lead_time_s"]["least"], row["lead_time_s"]["most"])
    assert "g-001 >= 3" == answer["events"][0]["what"]


def test_rises_close_together_are_one_event(town: Municipality, tmp_path: Path) -> None:
    """A river that hovers at the mark floods once; one that still floods has no end."""
    values = [2.0, 3.0, 2.9, 3.2, 2.0] + [2.0] * DAY + [3.1]
    played = Played([river(tmp_path / "a.csv", values)], CANONICAL, in_turn)
    found = crossings(played, town, {"g-001": 3.0})
    at = [START + STEP * step for step in (1, 4, 5 + DAY)]
    assert [(at[0], at[1]), (at[2], None)] == [(each.begins_at, each.ends_at) for each in found]


def test_two_rulebooks_stand_beside_each_other(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The stricter one has the false alarm."""
    book = (folder / "rulebook.yaml").read_text()
    later = tmp_path / "later.yaml"
    later.write_text(book.replace('"raise_at": 2.5', '"raise_at": 2.7'))
    words = ("--rulebook", folder / "rulebook.yaml", "--rulebook", later, "--reference", "g-001=3.0")
    answer = said(capsys, folder, river(tmp_path / "a.csv", three_floods()), *words)
    assert ["rulebook.yaml", "later.yaml"] == [each["rulebook"] for each in answer["comparison"]["items"]]
    both = [row_of(each, "r-001", 2) for each in answer["comparison"]["items"]]
    assert [(1, 0.333), (0, 0.0)] == [(row["false_alarms"], row["far"]) for row in both]


def test_a_person_reads_the_same(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json a table of each rulebook."""
    path = river(tmp_path / "a.csv", three_floods())
    assert 0 == municipio(["backtest", "--municipality", str(folder), str(path), "--reference", "g-001=3.0"])
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("Rulebook", "POD", "FAR", "false alarms"))


def test_an_envelope_keeps_the_peak(town: Municipality, tmp_path: Path) -> None:
    """However many readings fall into one column of a picture; nothing is drawn where nothing was said."""
    values = [2.0] * 40 * DAY
    values[1000] = 3.9
    path = river(tmp_path / "a.csv", values)
    end = START + STEP * 41 * DAY
    shown = envelopes(Played([path], CANONICAL, in_turn), town, START, end)["g-001"]
    assert (3.9, COLUMNS_MOST) == (max(shown.high[~(shown.high != shown.high)]), len(shown.low))
    assert shown.high[-1] != shown.high[-1]


WRONG = {
    "no begin": ("ends_at", "2026-05-01T06:00:00Z", ":1: expected columns"),
    "a column that nobody reads": ("begins_at,peak", "2026-05-01T06:00:00Z,3", ":1: expected columns"),
    "no offset": ("begins_at", "2026-05-01 06:00", ":2: begins_at: has no offset"),
    "no time": ("begins_at", "ayer", ":2: begins_at: is not RFC 3339"),
    "ends before": ("begins_at,ends_at", "2026-05-01T06:00:00Z,2026-05-01T05:00:00Z", ":2: ends_at"),
    "unknown zone": ("begins_at,zone", "2026-05-01T06:00:00Z,z-9", ":2: zone: the town has no z-9"),
    "unknown sensor": ("begins_at,sensor_id", "2026-05-01T06:00:00Z,g-9", ":2: sensor_id"),
    "level of its own": ("begins_at,level", "2026-05-01T06:00:00Z,rojo", ":2: level: is not a whole number"),
}


@pytest.mark.parametrize(("header", "row", "reason"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_truth_file_is_refused_with_its_line(
    town: Municipality, tmp_path: Path, header: str, row: str, reason: str
) -> None:
    """One wrong row refuses the file: a figure must not rest on half of the truth."""
    path = truth(tmp_path / "truth.csv", row, header=header)
    with pytest.raises(WrongUse, match="truth.csv" + reason):
        events_of(path, town)


@pytest.mark.parametrize(
    "words", [("--reference", "g-001"), ("--reference", "g-9=3"), ("--truth", "nada.csv")]
)
def test_wrong_words_are_one_sentence(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, str]
) -> None:
    """Exit 2, and nothing is printed as if it were an answer."""
    path = river(tmp_path / "a.csv", [2.0])
    assert 2 == municipio(["backtest", "--municipality", str(folder), str(path), *words])
    captured = capsys.readouterr()
    assert ("", 1) == (captured.out, len(captured.err.strip().splitlines()))
