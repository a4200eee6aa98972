"""Files as they really arrive: a replay and a backtest name what is wrong with a row and play the rest."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from municipio.backtest import run as backtesting
from municipio.player import Target
from municipio.profiles import recorded
from municipio.replay import run as replaying
from municipio.rows import FileUnreadable, Findings, Recorded
from schemas.municipality import load_folder
from schemas.municipality.profile import Profile
from tests.unit.municipio.test_replay import URLS, FakeTown

ROOT = Path(__file__).resolve().parents[3]
TOWN = ROOT / "deploy" / "municipalities" / "ejemplo"
FORM: dict[str, Any] = {
    "id": "estacion",
    "observed_at": {"column": "hora", "format": "%d/%m/%Y %H:%M", "time_zone": "-06:00"},
    "value": {"column": "nivel", "decimal": ",", "suffix": " m"},
    "sensor": "rc-puente",
    "property": "river_level",
    "unit": "m",
}
START = datetime(2026, 5, 4, 6, 0, tzinfo=UTC)
Play = Callable[[Path, Profile | None], dict[str, Any]]


def form(**changes: Any) -> Profile:
    return Profile.model_validate({**FORM, **changes})


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def row(step: int, value: str = "1,80 m") -> str:
    return f'{START + timedelta(minutes=15 * step):%d/%m/%Y %H:%M},"{value}"'


def replayed(path: Path, profile: Profile | None) -> dict[str, Any]:
    clock = path.with_name("clock.json")
    target = Target("alta", URLS, "administrator", clock)
    transport = httpx.MockTransport(FakeTown(clock))
    return replaying([path], target, profile=profile, transport=transport).as_json()


def backtested(path: Path, profile: Profile | None) -> dict[str, Any]:
    return backtesting.run([path], load_folder(TOWN), profile=profile).as_json()


@pytest.fixture(params=[replayed, backtested], ids=["replay", "backtest"])
def play(request: pytest.FixtureRequest) -> Play:
    found: Play = request.param
    return found


BROKEN = ("alto m", "1,80", "1.80 m", "", "1,8,0 m", "nan m", "1e999 m")
REASONS = (
    "is not a number",
    "does not end in 'm'",
    "has a point where the decimal comma is expected",
    "",
    "is not a number",
    "is not a number",
    "is not a number of ordinary size",
)


def test_37_broken_rows_are_each_named_and_the_rest_plays(tmp_path: Path, play: Play) -> None:
    """Row as an editor shows it, and the reason."""
    dice = random.Random(37)
    wrong = [value for value in BROKEN if value]
    broken = {step: wrong[step % len(wrong)] for step in sorted(dice.sample(range(100), 37))}
    lines = [row(step, broken.get(step, "1,80 m")) for step in range(100)]
    said = play(write(tmp_path / "nivel.csv", "hora,nivel", *lines), form())

    assert (100, 63, 37) == (said["rows"], said["readings"], said["broken_count"])
    assert [step + 2 for step in broken] == [each["row"] for each in said["broken"]]
    assert all(each["reason"].startswith("nivel: ") for each in said["broken"])


@pytest.mark.parametrize(("value", "reason"), list(zip(BROKEN, REASONS, strict=True)))
def test_the_reason_says_what_is_wrong(tmp_path: Path, value: str, reason: str) -> None:
    """An empty cell is no fault: the gauge said nothing."""
    findings = Findings()
    list(recorded([write(tmp_path / "nivel.csv", "hora,nivel", row(0, value))], form(), findings))
    assert [reason] * bool(reason) == [
        each.reason.partition(": ")[2][: len(reason)] for each in findings.broken
    ]
    assert (not reason) == bool(findings.missing)


def test_columns_that_nobody_reads_are_named(tmp_path: Path, play: Play) -> None:
    """What was meant by them is for a person to say."""
    path = write(tmp_path / "nivel.csv", "hora,nivel,turbidez,estacion", f"{row(0)},7,vado")
    said = play(path, form())
    assert (["turbidez", "estacion"], 1) == (said["unknown_columns"], said["readings"])


def test_a_file_of_other_columns_is_refused_as_a_whole(tmp_path: Path) -> None:
    """With what is expected and what is there."""
    path = write(tmp_path / "nivel.csv", "fecha,cota", row(0))
    with pytest.raises(
        FileUnreadable, match=r"expects the column\(s\) hora, nivel; the file has fecha, cota"
    ):
        list(recorded([path], form(), Findings()))


MIXED = {
    "point for comma": (",", "", "1.80", "point where the decimal comma"),
    "comma for point": (".", "", "1,80", "comma where the decimal point"),
    "comma between no thousands": (".", ",", "1,80", "does not stand between thousands"),
    "point between no thousands": (",", ".", "1.80", "does not stand between thousands"),
    "both signs swapped": (",", ".", "1,234.5", "point where the decimal comma"),
}


@pytest.mark.parametrize(("decimal", "thousands", "value", "reason"), MIXED.values(), ids=MIXED.keys())
def test_mixed_decimal_signs_are_never_guessed(
    tmp_path: Path, decimal: str, thousands: str, value: str, reason: str
) -> None:
    """1,80 m read as 180 m would wake a town."""
    looks = form(value={"column": "nivel", "decimal": decimal, "thousands": thousands})
    findings = Findings()
    path = write(tmp_path / "nivel.csv", "hora,nivel", row(0, value))
    assert [] == list(recorded([path], looks, findings))
    assert reason in findings.broken[0].reason


def test_thousands_are_read_where_they_stand(tmp_path: Path) -> None:
    """A flow of 1.234,5 cubic metres a second."""
    looks = form(value={"column": "nivel", "decimal": ",", "thousands": "."})
    path = write(tmp_path / "nivel.csv", "hora,nivel", row(0, "1.234,5"))
    assert [1234.5] == [each.body["value"] for each in recorded([path], looks, Findings())]


def test_two_stations_in_one_file_stay_two(tmp_path: Path) -> None:
    """Each is its own sensor; one that the town does not list is counted, not taken for another."""
    looks = form(sensor=None, sensor_column="estacion", sensors={"P1": "rc-puente", "V1": "rc-vado"})
    lines = [f"{row(step)},{station}" for step in range(4) for station in ("P1", "V1", "X9")]
    said = backtested(write(tmp_path / "nivel.csv", "hora,nivel,estacion", *lines), looks)
    assert (12, 4, 0, 0) == tuple(
        said[name] for name in ("readings", "quarantined", "duplicates", "corrections")
    )


def local(path: Path, order: str) -> tuple[list[Recorded], Findings]:
    """Read a file of a town where clocks went back at 24:00 on 6 April 2024: 23 h occurs twice."""
    at = {"column": "hora", "format": "%d/%m/%Y %H:%M", "time_zone": "America/Santiago"}
    findings = Findings()
    return list(recorded([path], form(observed_at=at, order=order), findings)), findings


def night() -> tuple[list[str], list[datetime]]:
    """Return rows every 15 minutes over the change of hour, and the moments that they mean."""
    first = datetime(2024, 4, 7, 2, 0, tzinfo=UTC)  # 23:00 summer time
    wall = ["23:00", "23:15", "23:30", "23:45"] * 2
    rows = [f'06/04/2024 {at},"1,{10 + n} m"' for n, at in enumerate(wall)]
    return rows, [first + timedelta(minutes=15 * n) for n in range(8)]


@pytest.mark.parametrize("order", ["oldest_first", "newest_first"])
def test_times_that_go_back_at_a_change_of_hour_are_told_apart(tmp_path: Path, order: str) -> None:
    """By their order in the file: nothing becomes a correction of the hour before."""
    rows, meant = night()
    lines = rows if order == "oldest_first" else rows[::-1]
    played, findings = local(write(tmp_path / "nivel.csv", "hora,nivel", *lines), order)
    assert (meant, 0) == ([each.at for each in played], findings.broken_count)
    assert [round(1.10 + 0.01 * n, 2) for n in range(8)] == [each.body["value"] for each in played]


def test_times_that_occur_twice_are_not_guessed_where_nothing_tells(tmp_path: Path) -> None:
    """In a file without order each such row is named."""
    rows, _ = night()
    played, findings = local(write(tmp_path / "nivel.csv", "hora,nivel", *rows), "any")
    assert ([], 8) == (played, findings.broken_count)
    assert "occurs twice (clocks went back)" in findings.broken[0].reason


def test_an_hour_written_once_is_the_first(tmp_path: Path) -> None:
    """The gauge of a town that slept through the change."""
    rows, meant = night()
    played, _ = local(write(tmp_path / "nivel.csv", "hora,nivel", *rows[:4]), "oldest_first")
    assert meant[:4] == [each.at for each in played]
