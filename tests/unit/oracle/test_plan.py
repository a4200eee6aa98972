"""Who is to be told, from the folder of the example town and from readings."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.oracle import Town, plan, read_town
from tests.support.oracle.fold import Silence, Verdict, readings, verdicts

EXAMPLE = Path(__file__).parents[3] / "deploy/municipalities/ejemplo"
AT = datetime(2026, 5, 5, 2, 0, tzinfo=UTC)  # Monday 20:00 in the example town


@pytest.fixture(scope="module")
def town() -> Town:
    return read_town(EXAMPLE)


def moved(rule_id: str, sensor_id: str, after: int, minutes: int = 0, before: int = 0) -> Verdict:
    return Verdict(rule_id, sensor_id, AT + timedelta(minutes=minutes), before, after, 3.0, minutes, True)


def test_example_flood_makes_its_incidents(town: Town) -> None:
    """The example's own flood makes at least one incident that residents are warned of."""
    with (EXAMPLE / "flood.csv").open(encoding="utf-8") as file:
        log = readings(csv.DictReader(file))
    made = plan.incidents(verdicts(log, town.level_rules), town)
    assert any(incident.level >= 3 and "la-vega" in incident.zones for incident in made)


def test_sources_of_one_zone_make_one_incident(town: Town) -> None:
    """Three gauges of La Vega are one incident, which only rises."""
    made = plan.incidents(
        [
            moved("claro-arriba", "rc-arriba", 2),
            moved("claro-puente", "rc-puente", 3, 15),
            moved("claro-puente", "rc-puente", 0, 30, before=3),
        ],
        town,
    )
    assert [(incident.level, sorted(incident.zones)) for incident in made] == [(3, ["la-vega"])]
    assert [level for level, _ in made[0].rises] == [2, 3]


def test_page_goes_to_who_is_on_duty(town: Town) -> None:
    """Monday at 20:00 Ana is on duty; at noon it is Beto."""
    (incident,) = plan.incidents([moved("claro-puente", "rc-puente", 1)], town)
    assert [(page.recipient_id, page.channel) for page in plan.pages(incident, town, AT)] == [("ana", "sms")]
    noon = AT - timedelta(hours=8)
    assert [page.recipient_id for page in plan.pages(incident, town, noon)] == ["beto"]


def test_release_needs_two_sites(town: Town) -> None:
    """One gauge does not release a warning; a second site at the level does, after its time."""
    alone = plan.incidents([moved("claro-puente", "rc-puente", 3)], town)
    both = plan.incidents([moved("claro-puente", "rc-puente", 3), moved("claro-vado", "rc-vado", 3, 1)], town)
    asked = {incident.name: AT for incident in (*alone, *both)}
    late = AT + timedelta(minutes=10)
    assert plan.warnings(alone, town, asked, late) == []
    assert [warning.level for warning in plan.warnings(both, town, asked, late)] == [3]
    assert plan.warnings(both, town, asked, AT + timedelta(minutes=3)) == []


def test_residents_of_a_zone(town: Town) -> None:
    """Sixteen phones live in La Vega."""
    assert len(plan.residents(["la-vega"], town)) == 16


def test_site_is_silent_when_its_sensor_is(town: Town) -> None:
    """One incident per site, however many gaps."""
    gaps = [
        Silence("silencio-rio", "rc-puente", AT, AT + timedelta(minutes=90), AT + timedelta(hours=3)),
        Silence("silencio-rio", "rc-puente", AT + timedelta(hours=4), AT + timedelta(hours=6), None),
    ]
    (incident,) = plan.silent_sites(gaps, town)
    assert (incident.place, incident.kind) == ("puente-viejo", "no_data")
    assert incident.must_exist(AT + timedelta(hours=7), timedelta(minutes=1))


def test_highest_level_gives_its_tasks(town: Town) -> None:
    """Each brigade that the level 3 plan names is owed one text; those of lower plans are not looked at."""
    (made,) = plan.incidents([moved("claro-puente", "rc-puente", 3)], town)
    owed = plan.tasks(made, town)
    assert [(one.recipient_id, one.channel) for one in owed] == [
        ("brigada-norte", "sms"),
        ("brigada-sur", "sms"),
    ]
