"""A recording played in blocks comes to what it comes to row by row: verdicts, words, faults and states."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from municipio import chunks, columns
from municipio.backtest.operator import ClosesAfter, Never, Operator
from municipio.backtest.run import Backtest, in_blocks, row_by_row
from municipio.columns import NotInColumns, NotInOrder, Read, at_once, in_turn
from municipio.profiles import CANONICAL
from schemas.municipality import Municipality, load_folder
from schemas.municipality.profile import Profile
from services.triage.domain.state import encode
from tests.support.towns import write_town

START = datetime(2026, 5, 1, 6, 0, tzinfo=UTC)
HEADER = "observed_at,sensor_id,property,value,unit"
quick = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# Mostly quiet, at times a level, a dead band, a value that no gauge can have seen, a cell that is no number.
VALUES = ["2.0", "2.1", "2.1", "2.2", "2.2", "2.45", "2.55", "3.1", "3.7", "99", "", "alto", " 2.1 ", "1e999"]
ENDS = ["m"] * 12 + ["cm", "furlong", '"m"', "m,7"]
Gauge = st.sampled_from(["g-001", "g-001", "g-002", "g-003", "g-009", "sí mismo", ""])
Row = st.tuples(Gauge, st.sampled_from(VALUES), st.sampled_from(ENDS))
# Rows of one moment, and minutes to the next one; a gap of 40 is longer than the shorter silence rule.
Moments = st.lists(
    st.tuples(st.lists(Row, max_size=4), st.sampled_from([1, 5, 5, 5, 5, 15, 40, 100, 400])),
    min_size=1,
    max_size=60,
)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Municipality:
    """Three gauges; the rows of one change and a shorter silence rule begins while the recording runs."""
    folder = write_town(
        tmp_path_factory.mktemp("towns"), "villa", zones=3, residents_per_zone=1, confirm=2
    ).folder
    path = folder / "rulebook.yaml"
    book = json.loads(path.read_text(encoding="utf-8"))
    first, silence = book["rules"][0], book["rules"][-1]
    changes_at = (START + timedelta(minutes=33)).isoformat()
    later = {
        **first,
        "valid_from": changes_at,
        "levels": [{"level": 2, "raise_at": 2.15, "clear_below": 2.05}],
    }
    book["rules"] += [later, {**silence, "id": "silencio-corto", "after": "PT30M", "valid_from": changes_at}]
    first["valid_to"] = changes_at
    path.write_text(json.dumps(book, ensure_ascii=False), encoding="utf-8")
    return load_folder(folder)


@pytest.fixture
def in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def set_to(chars: int) -> None:
        for name in ("FIRST_CHARS", "CHUNK_CHARS"):
            monkeypatch.setattr(chunks, name, chars)
        monkeypatch.setattr(chunks, "CSV_ROWS", max(1, chars // 50))

    return set_to


def lines_of(moments: Sequence[tuple[Sequence[tuple[str, str, str]], int]]) -> list[str]:
    lines, at = [], START
    for rows, minutes in moments:
        lines += [f"{at.isoformat()},{gauge},river_level,{value},{unit}" for gauge, value, unit in rows]
        at += timedelta(minutes=minutes)
    return lines


def quiet_lines(count: int, gauges: int = 3, every: int = 5) -> list[str]:
    return lines_of([([(f"g-{at:03d}", "2.0", "m") for at in range(1, gauges + 1)], every)] * count)


def written(path: Path, lines: Sequence[str], header: str = HEADER, ends: str = "\n") -> Path:
    path.write_bytes("".join(line + ends for line in [header, *lines]).encode())
    return path


def outcome(done: Backtest) -> tuple[Any, ...]:
    """Return all that a backtest found; the digest proves nothing to nobody here."""
    states = {id_: json.loads(encode(one)) | {"digest": 0} for id_, one in done.town.state.sensors.items()}
    for one in states.values():
        one.pop("standings", None)
    return done.as_json(), states, json.loads(encode(done.town.state.town)), asdict(done.intake.taken)


def both(
    town: Municipality,
    files: Sequence[Path],
    operator: Callable[[], Operator],
    form: Profile = CANONICAL,
    read: Read = in_turn,
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    return (
        outcome(row_by_row(files, town, form, operator())),
        outcome(in_blocks(files, town, form, operator(), read=read)),
    )


def closes_soon() -> Operator:
    return ClosesAfter(timedelta(minutes=20))


@quick
@given(moments=Moments, chars=st.sampled_from([60, 300, 1 << 16]), crlf=st.booleans(), leaves=st.booleans())
def test_in_blocks_as_row_by_row(
    town: Municipality,
    tmp_path: Path,
    in_small_pieces: Callable[[int], None],
    moments: list[tuple[list[tuple[str, str, str]], int]],
    chars: int,
    crlf: bool,
    leaves: bool,
) -> None:
    """Repeats, corrections, holes, silences, unknown gauges, broken cells; wherever a block ends."""
    in_small_pieces(chars)
    path = written(tmp_path / "a.csv", lines_of(moments), ends="\r\n" if crlf else "\n")
    slow, fast = both(town, [path], Never if leaves else closes_soon)
    assert slow == fast


@quick
@given(
    noise=st.lists(
        st.tuples(st.integers(0, 400), st.sampled_from(VALUES), st.sampled_from(ENDS)), max_size=12
    ),
    gone=st.lists(st.tuples(st.integers(0, 130), st.integers(1, 40)), max_size=3),
    chars=st.sampled_from([500, 4000, 1 << 16]),
)
def test_quiet_rivers_with_something_here_and_there(
    town: Municipality,
    tmp_path: Path,
    in_small_pieces: Callable[[int], None],
    noise: list[tuple[int, str, str]],
    gone: list[tuple[int, int]],
    chars: int,
) -> None:
    """Long stretches, in which single rows say something else, come twice or are not there."""
    in_small_pieces(chars)
    lines = quiet_lines(140)
    for at, value, unit in noise:
        words = lines[at].split(",")
        lines[at] = ",".join([*words[:3], value, unit])
        lines.insert(at, lines[at])
    for begin, steps in gone:
        lines[begin * 3 : (begin + steps) * 3] = []
    slow, fast = both(town, [written(tmp_path / "a.csv", lines)], closes_soon)
    assert slow == fast


@quick
@given(
    moments=Moments,
    seed=st.integers(0, 9),
    files=st.sampled_from([1, 1, 3]),
    rows=st.sampled_from([3, 40]),
    leaves=st.booleans(),
)
def test_in_any_order_as_row_by_row(
    town: Municipality,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moments: list[tuple[list[tuple[str, str, str]], int]],
    seed: int,
    files: int,
    rows: int,
    leaves: bool,
) -> None:
    """Shuffled, and dealt out to files that overlap."""
    monkeypatch.setattr(columns, "SORTED_ROWS", rows)
    lines = lines_of(moments)
    random.Random(seed).shuffle(lines)
    paths = [written(tmp_path / f"{part}.csv", lines[part::files]) for part in range(files)]
    slow, fast = both(town, paths, Never if leaves else closes_soon, read=at_once)
    for said in (slow[0], fast[0]):  # Row by row, files are read side by side.
        said["broken"].sort(key=lambda row: (row["file"], row["row"]))
    assert slow == fast


def test_more_than_memory_takes_is_left_to_the_other_way(
    town: Municipality, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That way sorts on the disk."""
    monkeypatch.setattr(columns, "SORTED_MOST", 50)
    with pytest.raises(NotInColumns):
        in_blocks([written(tmp_path / "a.csv", quiet_lines(60))], town, CANONICAL, Never(), read=at_once)


def test_long_quiet_file_is_folded_in_stretches(
    town: Municipality, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the first readings of each gauge are looked at one by one."""
    done = in_blocks([written(tmp_path / "a.csv", quiet_lines(400))], town, CANONICAL, Never())
    monkeypatch.setattr(done.intake, "take_plain", None)
    assert (1200, 400) == (done.intake.taken.readings, done.town.state.sensors["g-001"].count)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(quiet_lines(5)[::-1], id="newest first"),
        pytest.param([*quiet_lines(300), quiet_lines(1)[0]], id="one late row at the end"),
    ],
)
def test_a_file_that_is_not_in_order_is_left_to_the_other_way(
    town: Municipality, tmp_path: Path, lines: list[str]
) -> None:
    """What arrives late must not be taken for what arrives in time."""
    path = written(tmp_path / "a.csv", lines)
    with pytest.raises(NotInOrder):
        in_blocks([path], town, CANONICAL, Never())


def test_shuffled_file_is_played_all_the_same(town: Municipality, tmp_path: Path) -> None:
    """`run` falls back by itself, and nothing of the first attempt is left."""
    from municipio.backtest.run import run

    lines = quiet_lines(60)
    lines[90] = lines[90].replace("2.0", "3.7")
    lines[93] = lines[93].replace("2.0", "3.7")
    mixed = [*lines[:150], *random.Random(3).sample(lines[150:], len(lines) - 150)]
    plain = run([written(tmp_path / "a.csv", lines)], town, operator=closes_soon())
    other = run([written(tmp_path / "a.csv", mixed)], town, operator=closes_soon())
    assert outcome(plain)[1:] == outcome(other)[1:]
    assert plain.as_json()["changes"] == other.as_json()["changes"]


def test_files_of_one_year_each_play_in_turn(town: Municipality, tmp_path: Path) -> None:
    """In whatever order they are named; two that overlap are not played so."""
    lines = quiet_lines(90)
    names = [written(tmp_path / f"{part}.csv", lines[part * 90 : part * 90 + 90]) for part in (2, 0, 1)]
    slow, fast = both(town, names, Never)
    assert slow == fast
    with pytest.raises(NotInOrder):
        in_blocks([names[0], names[0]], town, CANONICAL, Never())


PROFILE = Profile.model_validate(
    {
        "id": "estacion",
        "delimiter": ";",
        "observed_at": {"column": "hora", "format": "%d/%m/%Y %H:%M", "time_zone": "America/El_Salvador"},
        "value": {"column": "nivel", "decimal": ",", "suffix": " cm"},
        "sensor_column": "estacion",
        "sensors": {"PUENTE": "g-001", "VADO": "g-002"},
        "property": "river_level",
        "unit": "cm",
        "quality_column": "calidad",
        "sequence_column": "n",
        "missing": ["", "s/d"],
    }
)


def test_a_profile_is_read_alike(town: Municipality, tmp_path: Path) -> None:
    """Decimal comma, suffix, another unit, names of its own, missing values, qualities, a quoted cell."""
    lines = []
    for step in range(120):
        at = f"{START + timedelta(minutes=5 * step):%d/%m/%Y %H:%M}"
        level = "310,5 cm" if 40 <= step < 50 else "s/d" if step % 17 == 0 else "210,5 cm"
        quality = {60: "suspect", 61: "bad", 62: "good", 63: "raro"}.get(step, "")
        lines.append(f"{at};PUENTE;{level};{quality};{step if step != 64 else 'x'};riego")
        lines.append(f'{at};"VADO";210,0 cm;;;')
    path = written(tmp_path / "a.csv", lines, "hora;estacion;nivel;calidad;n;uso")
    slow, fast = both(town, [path], closes_soon, PROFILE)
    assert slow == fast
    assert [2] == sorted({row["to"] for row in fast[0]["changes"] if row["kind"] == "condition"} - {0})


def test_an_hour_that_occurs_twice_is_left_to_the_other_way(tmp_path: Path, town: Municipality) -> None:
    """Which of the two is meant shows only when the file has been read."""
    form = PROFILE.model_copy(
        update={"observed_at": PROFILE.observed_at.model_copy(update={"time_zone": "America/Santiago"})}
    )
    lines = [f"06/04/2024 {at};PUENTE;210,5 cm;;;" for at in ("22:30", "23:00", "23:30", "23:00", "23:30")]
    with pytest.raises(NotInColumns):
        in_blocks(
            [written(tmp_path / "a.csv", lines, "hora;estacion;nivel;calidad;n;uso")], town, form, Never()
        )


def test_blank_lines_short_rows_and_cells_over_two_lines(
    town: Municipality, tmp_path: Path, in_small_pieces: Callable[[int], None]
) -> None:
    """Numbers of rows are those that an editor shows, also behind a cell that has a line break in it."""
    in_small_pieces(400)
    lines = quiet_lines(60)
    lines[50:50] = [
        "",
        "2026-05-01T07:20:00+00:00,g-001",
        '2026-05-01T07:20:00+00:00,"g\n001",river_level,alto,m',
    ]
    lines[120:120] = ["2026-05-01T09:10:00+00:00,g-001,river_level,2.1,m,más", "nada,g-001,river_level,2.1,m"]
    slow, fast = both(town, [written(tmp_path / "a.csv", lines)], Never)
    assert slow == fast
    assert [53, 55, 124] == [row["row"] for row in fast[0]["broken"]]


@pytest.mark.parametrize(
    "time",
    ["0001-01-01T00:00:00+09:00", "9999-12-31T23:00:00-09:00", "1850-01-01T00:00:00Z", "2026-05-01 06:00:00"],
)
def test_times_that_no_clock_shows(town: Municipality, tmp_path: Path, time: str) -> None:
    """Outside the calendar, before 1900, without an offset: named, and the rest plays."""
    lines = [f"{time},g-001,river_level,2.0,m", *quiet_lines(30)]
    slow, fast = both(town, [written(tmp_path / "a.csv", lines)], Never)
    assert slow == fast
    assert 1 == fast[0]["broken_count"] + fast[0]["rejected_count"]
