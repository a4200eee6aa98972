"""The independent fold, alone and against the one that decides live."""

from __future__ import annotations

import ast
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.fingerprint import fingerprint_of as digest_of
from services.triage.domain.level import Ladder
from services.triage.domain.level import Row as LiveRow
from tests.support import oracle
from tests.support.oracle.fold import Reading, digest, digests, readings, silences, verdicts
from tests.support.oracle.folder import LevelRule, Row, SilenceRule

START = datetime(2026, 5, 4, 18, 0, tzinfo=UTC)
ROWS = (Row(2, 2.5, 2.4), Row(3, 3.0, 2.9), Row(4, 3.6, 3.5))


def rule(confirm: int = 1, **more: object) -> LevelRule:
    told = {"valid_from": START - timedelta(days=9), "rows": ROWS, **more}
    return LevelRule(
        "r",
        "g",
        "river_level",
        "flood",
        frozenset({"z"}),
        confirm,
        told["rows"],
        told["valid_from"],
        told.get("valid_to"),
    )


def series(*values: float, every_min: int = 15) -> list[Reading]:
    return [
        Reading(at, "g", "river_level", value, START + timedelta(minutes=every_min * at))
        for at, value in enumerate(values)
    ]


def levels(log: list[Reading], *rules: LevelRule) -> list[tuple[int, int]]:
    return [(one.before, one.after) for one in verdicts(log, rules)]


def test_oracle_imports_nothing_of_the_services() -> None:
    """What it shares with them it could not find wrong."""
    for path in Path(oracle.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not [name for name in names if name.split(".")[0] in {"services", "schemas", "municipio"}]


@pytest.mark.parametrize(
    ("values", "confirm", "expected"),
    [
        pytest.param((2.4, 2.49), 1, [], id="one centimetre under"),
        pytest.param((2.4, 2.5), 1, [(0, 2)], id="at the row"),
        pytest.param((2.5, 2.45, 2.5, 2.41), 1, [(0, 2)], id="inside the dead band it stays"),
        pytest.param((2.5, 2.39), 1, [(0, 2), (2, 0)], id="below the dead band it falls"),
        pytest.param((2.0, 3.7), 1, [(0, 4)], id="over several rows at once"),
        pytest.param((3.7, 2.45), 1, [(0, 4), (4, 2)], id="falls to the row that was not left"),
        pytest.param((3.1, 2.0, 3.1, 3.1), 2, [(0, 3)], id="two in a row are needed"),
        pytest.param((3.1, 3.7, 3.7), 2, [(0, 3), (3, 4)], id="each row counts for itself"),
        pytest.param((3.1, 3.1, 2.0, 3.1, 2.0), 2, [(0, 3)], id="one low reading does not lower"),
    ],
)
def test_rows_with_hysteresis(
    values: tuple[float, ...], confirm: int, expected: list[tuple[int, int]]
) -> None:
    """The level moves exactly where the rows say."""
    assert levels(series(*values), rule(confirm)) == expected


def test_order_and_repeats_change_nothing() -> None:
    """Shuffled and doubled, the verdicts are the same but for where they stand in the log."""
    log = series(2.0, 2.6, 3.1, 3.0, 2.8, 2.3, 3.7, 2.0)
    mixed = [*log, *log[::2]]
    random.Random(3).shuffle(mixed)
    moved = [
        Reading(at, *(getattr(one, name) for name in ("sensor_id", "measures", "value", "observed_at")))
        for at, one in enumerate(mixed)
    ]
    assert levels(log, rule()) == [(b, a) for b, a in levels_by_time(moved)]


def levels_by_time(log: list[Reading]) -> list[tuple[int, int]]:
    found = sorted(verdicts(log, [rule()]), key=lambda one: one.observed_at)
    return [(one.before, one.after) for one in found]


def test_correction_replaces_the_value() -> None:
    """The same time with another value: the later accepted one counts."""
    log = series(2.0, 3.7)
    log.append(Reading(2, "g", "river_level", 2.1, log[1].observed_at))
    assert levels(log, rule()) == []


def test_what_is_not_good_decides_nothing() -> None:
    """A test reading is counted and never decides."""
    told = {"sensor_id": "g", "property": "river_level", "value": 9.0, "unit": "m", "quality": "test"}
    log = readings([told | {"observed_at": "2026-05-04T18:00:00Z"}])
    assert levels(log, rule()) == []
    assert digests(log)["g"]["count"] == 1


def test_rule_holds_only_in_its_time() -> None:
    """Before ``valid_from`` and from ``valid_to`` on the condition is normal."""
    until = START + timedelta(minutes=30)
    assert levels(series(3.1, 3.1, 3.1), rule(valid_to=until)) == [(0, 3), (3, 0)]


def test_reading_in_another_unit_is_refused() -> None:
    """The oracle converts nothing."""
    told = {"sensor_id": "g", "property": "river_level", "value": 310, "unit": "cm"}
    with pytest.raises(ValueError, match="give m, not cm"):
        readings([told | {"observed_at": "2026-05-04T18:00:00Z"}])


@given(
    values=st.lists(st.integers(180, 400), max_size=40),
    confirm=st.integers(1, 3),
)
def test_agrees_with_the_fold_that_decides_live(values: list[int], confirm: int) -> None:
    """Two implementations of one rule, written apart, agree on every series."""
    metres = [value / 100 for value in values]
    ladder = Ladder([LiveRow(row.level, row.raise_at, row.clear_below) for row in ROWS], confirm)
    standing, expected = ladder.start(), []
    for value in metres:
        before, standing = standing, ladder.step(standing, value)
        if before.level != standing.level:
            expected.append((before.level, standing.level))
    assert levels(series(*metres), rule(confirm)) == expected


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 10**9))
def test_digest_agrees_with_triage(value: float, microseconds: int) -> None:
    """The same reading has the same 64 bits on both sides."""
    at = START + timedelta(microseconds=microseconds)
    assert digest(Reading(0, "g", "rain", value, at)) == digest_of("g", "rain", at, value)


def test_silence_is_a_gap_longer_than_the_rule_allows() -> None:
    """Gaps inside, and the one that lasts; exactly the limit is no silence."""
    log = [series(1, 1, 1, every_min=90)[at] for at in (0, 1)]
    log += [Reading(9, "g", "river_level", 1.0, log[1].observed_at + timedelta(minutes=91))]
    watch = SilenceRule("s", "flood", ("g",), timedelta(minutes=90), 1)
    until = log[-1].observed_at + timedelta(hours=5)
    found = silences(log, watch, start=None, until=until)
    assert [(one.since, one.until) for one in found] == [
        (log[1].observed_at, log[2].observed_at),
        (log[2].observed_at, None),
    ]
