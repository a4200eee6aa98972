"""A folder that can be used may still hold what nobody meant: gaps, holes, rows of another zero."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.municipality import check_folder, load_folder, review_folder
from tests.support.towns import change, write_town

NEW_ZERO = "2026-03-01T00:00:00-06:00"


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """Two zones with a gauge and a rule each; every level has its plan, and nothing is odd."""
    levels = [(1, 2.0, 1.9), (2, 2.5, 2.4), (3, 3.0, 2.9), (4, 3.6, 3.5)]
    folder = write_town(tmp_path, "alfa", zones=2, levels=levels).folder
    assert () == review_folder(folder)
    return folder


def remarks(folder: Path) -> list[tuple[str, str, str]]:
    assert () == check_folder(folder)
    found = review_folder(folder)
    assert all(each.is_warning and each.line >= 1 for each in found)
    return [(Path(each.file).name, each.field, each.reason) for each in found]


@contextmanager
def opened(folder: Path, name: str, key: str) -> Iterator[list]:
    """Open the list of a file of the town to be changed."""
    content = json.loads((folder / name).read_text(encoding="utf-8"))
    yield content[key]
    (folder / name).write_text(json.dumps(content, indent=1), encoding="utf-8")


def second_row(folder: Path, since: str, *, until: str | None = None, datum: str = "cero de mira") -> None:
    """Let the first rule begin again in a second row, and end before where ``until`` says so."""
    with opened(folder, "rulebook.yaml", "rules") as rules:
        rules.insert(1, {**rules[0], "valid_from": since, "datum": datum})
        if until is not None:
            rules[0] = {**rules[0], "valid_to": until}


def measure_from(folder: Path, datum: str, since: str) -> None:
    """Give the first gauge another zero."""
    text = (folder / "sensors.csv").read_text(encoding="utf-8")
    header, first, second = text.splitlines()
    first = first.replace("cero de mira", datum)
    text = f"{header},datum_since\n{first},{since}\n{second},\n"
    (folder / "sensors.csv").write_text(text, encoding="utf-8")


def test_gap_between_two_rows_is_named(town: Path) -> None:
    """Nobody watches the gauge in April."""
    second_row(town, "2026-05-01T00:00:00-06:00", until="2026-04-01T00:00:00-06:00")
    reason = "rule r-001 does not hold from 2026-04-01T00:00:00-06:00 until then: a gap"
    assert [("rulebook.yaml", "rules[1].valid_from", reason)] == remarks(town)


def test_rows_that_meet_leave_no_gap(town: Path) -> None:
    """The next row begins where the one before ends."""
    second_row(town, "2026-04-01T00:00:00-06:00", until="2026-04-01T00:00:00-06:00")
    assert [] == remarks(town)


def test_rule_that_ends_leaves_its_sensor_and_its_zone_alone(town: Path) -> None:
    """The last date that is written counts, by the town's own clocks."""
    change(town, "rulebook.yaml", '"kind": "level",', '"kind": "level", "valid_to": "2030-01-01T06:00:00Z",')
    assert [
        ("sensors.csv", "sensor_id", "no rule judges g-001 from 2030-01-01T00:00:00-06:00 on"),
        (
            "zones.geojson",
            "features[0].properties.id",
            "no rule covers z-001 from 2030-01-01T00:00:00-06:00 on: nothing warns it",
        ),
    ] == remarks(town)


def test_sensor_whose_silence_nobody_would_notice_is_named(town: Path) -> None:
    """A silence rule that names its sensors watches only these."""
    change(town, "rulebook.yaml", '"no_data": "site"', '"no_data": "site", "sensors": ["g-001"]')
    reason = "no rule watches g-002: nobody would notice its silence"
    assert [("sensors.csv", "sensor_id", reason)] == remarks(town)


def test_level_that_no_plan_knows_is_named(tmp_path: Path) -> None:
    """The lowest plan begins above the rule's lowest level."""
    folder = write_town(tmp_path, "alfa", zones=1).folder
    with opened(folder, "protocols.yaml", "protocols") as protocols:
        del protocols[0]["levels"][:2]
    reason = "level 2 of this rule is below every plan in protocols.yaml: nobody would be told"
    assert [("rulebook.yaml", "rules[0].hazard", reason)] == remarks(folder)


def test_zone_that_would_never_be_warned_is_named(tmp_path: Path) -> None:
    """Its rules stop below the level from which residents are warned."""
    folder = write_town(tmp_path, "alfa", zones=1, levels=[(1, 2.0, 1.9), (2, 2.5, 2.4)]).folder
    reason = "no rule brings z-001 to level 3 of flood, from which residents are warned; the highest is 2"
    assert [("zones.geojson", "features[0].properties.id", reason)] == remarks(folder)


def test_readings_that_agree_too_late_are_named(tmp_path: Path) -> None:
    """Three readings of a quarter of an hour span more than a reading may be late."""
    levels = [(1, 2.0, 1.9), (3, 3.0, 2.9)]
    folder = write_town(tmp_path, "alfa", zones=1, confirm=3, levels=levels).folder
    ((_, field, reason),) = remarks(folder)
    assert "rules[0].confirm" == field
    assert reason.startswith("3 readings of sensor g-001 take 1800 s, longer than lateness_s 900")


def test_one_lost_reading_that_would_be_silence_is_named(tmp_path: Path) -> None:
    """Hourly logging is not silence, and neither is one message that went astray."""
    levels = [(1, 2.0, 1.9), (3, 3.0, 2.9)]
    folder = write_town(tmp_path, "alfa", zones=1, expected_every_s=3600, levels=levels).folder
    ((_, field, reason),) = remarks(folder)
    assert ("rules[1].after", True) == (field, "one that is lost is silence already" in reason)


def test_row_of_another_zero_is_inactive_until_it_is_signed_again(town: Path) -> None:
    """It decides until the gauge was changed, and not a second longer; the rest of the rulebook holds."""
    measure_from(town, "cero nuevo", NEW_ZERO)
    (inactive, unjudged, uncovered) = remarks(town)
    assert ("rulebook.yaml", "rules[0].datum") == inactive[:2]
    assert (
        "the row is inactive since 2026-03-01T00:00:00-06:00: sensor g-001 measures from 'cero nuevo' since"
        " then. To judge it again write a row with that datum and have it signed"
    ) == inactive[2]
    assert f"no rule judges g-001 from {NEW_ZERO} on" == unjudged[2]
    assert uncovered[2].startswith("no rule covers z-001")
    rule, other = load_folder(town).rulebook.level_rules
    changed = datetime(2026, 3, 1, 6, tzinfo=UTC)
    assert (changed, None) == (rule.valid_to, other.valid_to)
    assert not rule.in_force(changed)


def test_row_that_is_signed_again_with_the_new_zero_holds(town: Path) -> None:
    """The old row needs no new end: the gauge gave it one."""
    second_row(town, NEW_ZERO, datum="cero nuevo")
    measure_from(town, "cero nuevo", NEW_ZERO)
    assert [("rulebook.yaml", "rules[0].datum")] == [each[:2] for each in remarks(town)]
    before, after, _ = load_folder(town).rulebook.level_rules
    changed = datetime(2026, 3, 1, 6, tzinfo=UTC)
    assert (False, True) == (before.in_force(changed), after.in_force(changed))


def test_row_of_the_new_zero_holds_from_the_change_on(town: Path) -> None:
    """What was measured from the old zero is not judged by a threshold of the new one."""
    measure_from(town, "cero de mira", NEW_ZERO)
    ((_, field, reason),) = remarks(town)
    assert ("rules[0].valid_from", True) == (field, f"holds only from {NEW_ZERO} on" in reason)
    rule, _ = load_folder(town).rulebook.level_rules
    assert datetime(2026, 3, 1, 6, tzinfo=UTC) == rule.valid_from


def test_row_that_begins_after_the_change_counts_from_the_new_zero(town: Path) -> None:
    """Nobody signs a threshold of a zero that the gauge had before."""
    second_row(town, "2026-04-01T00:00:00-06:00", until=NEW_ZERO)
    measure_from(town, "cero nuevo", NEW_ZERO)
    (fault,) = check_folder(town)
    assert "rules[1].datum" == fault.field
    assert fault.reason.endswith(f"expected 'cero nuevo', its zero since {NEW_ZERO}")


def test_row_of_the_old_zero_that_ended_before_is_history(town: Path) -> None:
    """Nothing is to be said of it."""
    second_row(town, NEW_ZERO, until="2026-02-01T00:00:00-06:00", datum="cero nuevo")
    measure_from(town, "cero nuevo", NEW_ZERO)
    ((_, field, reason),) = remarks(town)
    assert ("rules[1].valid_from", True) == (field, reason.endswith("a gap"))


def test_row_that_ended_before_its_zero_began_never_holds(town: Path) -> None:
    """Its threshold counts from a zero that the gauge did not have then."""
    second_row(town, "2026-02-01T00:00:00-06:00", until="2026-02-01T00:00:00-06:00")
    measure_from(town, "cero de mira", NEW_ZERO)
    (fault,) = check_folder(town)
    assert ("rules[0].datum", True) == (fault.field, fault.reason.startswith("never holds: sensor g-001"))
