"""Recorded files are read as their profile says; what is broken is named and the rest plays."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from municipio import profiles, rows
from municipio.profiles import recorded
from municipio.rows import FileUnreadable, Findings
from schemas.municipality.profile import Profile

NEWEST_FIRST = Profile.model_validate(
    {
        "id": "guaiba",
        "order": "newest_first",
        "observed_at": {"column": "Timestamp", "format": "%d/%m/%Y %H:%M", "time_zone": "-03:00"},
        "value": {"column": "Measurement", "decimal": ",", "suffix": " m"},
        "sensor": "rio-1",
        "property": "river_level",
        "unit": "m",
    }
)
GUAIBA = """Timestamp,Measurement
02/05/2024 13:15,"3,00 m"
02/05/2024 13:00,"2,98 m"
02/05/2024 13:00,"2,98 m"
02/05/2024 12:45,"2,95 m"
"""


def write(folder: Path, text: str | bytes, name: str = "readings.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(path: Path, profile: Profile | None = None) -> tuple[list[rows.Recorded], Findings]:
    findings = Findings()
    return list(recorded([path], profile, findings)), findings


def test_newest_first_file_is_played_oldest_first_with_its_duplicates(tmp_path: Path) -> None:
    """Decimal comma, unit suffix and local time become what the door takes."""
    played, findings = read(write(tmp_path, GUAIBA), NEWEST_FIRST)

    assert [2.95, 2.98, 2.98, 3.0] == [each.body["value"] for each in played]
    assert datetime(2024, 5, 2, 15, 45, tzinfo=UTC) == played[0].at
    assert {"rio-1"} == {each.body["sensor_id"] for each in played}
    assert (4, 0) == (findings.rows, findings.broken_count)


BROKEN = {
    "not a number": ('02/05/2024 13:15,"alto m"', "Measurement: is not a number"),
    "no suffix": ('02/05/2024 13:15,"3,00"', "Measurement: does not end in 'm'"),
    "decimal point": ('02/05/2024 13:15,"3.00 m"', "decimal comma"),
    "400 digits": (f'02/05/2024 13:15,"{"9" * 400} m"', "ordinary size"),
    "not a time": ('ayer,"3,00 m"', "Timestamp: is not a time"),
    "30 February": ('30/02/2024 13:15,"3,00 m"', "Timestamp: is not a time"),
    "cell missing": ("02/05/2024 13:15", "no such cell"),
    "not UTF-8": (b'02/05/2024 13:15,"3,00 \xff m"', "encoding"),
}


@pytest.mark.parametrize(("row", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_row_is_listed_with_its_number_and_the_rest_plays(
    tmp_path: Path, row: str | bytes, reason: str
) -> None:
    """Row numbers are those that an editor shows."""
    line = row if isinstance(row, bytes) else row.encode()
    played, findings = read(write(tmp_path, GUAIBA.encode() + line + b"\n"), NEWEST_FIRST)

    assert len(played) == 4
    assert [6] == [each.row for each in findings.broken]
    assert reason in findings.broken[0].reason


def test_missing_value_is_counted_not_broken(tmp_path: Path) -> None:
    """An empty cell is what the gauge did not say."""
    played, findings = read(write(tmp_path, GUAIBA + "02/05/2024 12:30,\n"), NEWEST_FIRST)

    assert (4, 1, 0) == (len(played), findings.missing, findings.broken_count)


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "Timestamp\n1\n"], ids=["empty file", "other columns", "one column"]
)
def test_file_of_another_shape_is_refused_as_a_whole(tmp_path: Path, text: str) -> None:
    """The message names what is expected and what is there."""
    with pytest.raises(FileUnreadable, match="Measurement"):
        read(write(tmp_path, text), NEWEST_FIRST)


def test_absent_file_is_refused(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(FileUnreadable, match=r"nada\.csv"):
        read(tmp_path / "nada.csv")


def test_canonical_form_needs_no_profile_and_plays_when_received(tmp_path: Path) -> None:
    """A late reading arrives late again."""
    text = (
        "observed_at,sensor_id,property,value,unit,sequence,quality,received_at\n"
        "2026-05-02T12:00:00Z,rio-1,river_level,1.0,m,7,good,2026-05-02T12:30:00Z\n"
        "2026-05-02T12:15:00-00:00,rio-2,river_level,1.1,m,,,\n"
    )
    played, _ = read(write(tmp_path, text))

    assert ["rio-2", "rio-1"] == [each.body["sensor_id"] for each in played]
    assert timedelta(minutes=30) == played[1].at - datetime.fromisoformat(played[1].body["observed_at"])
    assert {"sequence": 7, "quality": "good"}.items() <= played[1].body.items()
    assert "sequence" not in played[0].body


def test_local_time_that_does_not_exist_is_broken(tmp_path: Path) -> None:
    """When clocks go forward an hour is missing; nobody may guess which was meant."""
    form = NEWEST_FIRST.model_copy(
        update={"observed_at": NEWEST_FIRST.observed_at.model_copy(update={"time_zone": "America/Santiago"})}
    )
    _, findings = read(write(tmp_path, 'Timestamp,Measurement\n08/09/2024 00:30,"1,0 m"\n'), form)

    assert "does not exist" in findings.broken[0].reason


def test_large_files_are_sorted_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory holds one run, the order is the same."""
    monkeypatch.setattr(profiles, "RUN_ROWS", 7)
    start = datetime(2024, 5, 1, tzinfo=timezone(timedelta(hours=-3)))
    times = [start + timedelta(minutes=15 * each) for each in range(50)]
    rows = "".join(f'{at:%d/%m/%Y %H:%M},"1,0 m"\n' for at in reversed(times))
    played, _ = read(write(tmp_path, "Timestamp,Measurement\n" + rows), NEWEST_FIRST)

    assert times == [each.at for each in played]


@given(order=st.permutations(range(20)))
def test_files_are_merged_by_time(tmp_path_factory: pytest.TempPathFactory, order: list[int]) -> None:
    """Two networks' files play as one town."""
    folder = tmp_path_factory.mktemp("files")
    head = "observed_at,sensor_id,property,value,unit\n"
    lines = [f"2026-05-02T12:{minute:02}:00Z,rio-1,river_level,1.0,m\n" for minute in order]
    files = [write(folder, head + "".join(lines[at::2]), f"{at}.csv") for at in range(2)]
    played = list(recorded(files, None, Findings()))

    assert list(range(20)) == [each.at.minute for each in played]
