"""The flood of May 2024 in Porto Alegre, as the gauge of Cais Mauá recorded it."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from schemas.municipality import load_folder
from services.triage.domain.changes import Change
from services.triage.domain.engine import fold
from services.triage.domain.inputs import Reading, Tick
from services.triage.domain.rulebook import book_of
from services.triage.domain.state import empty

ROOT = Path(__file__).resolve().parents[3]
RECORD = ROOT.parent / "shared" / "data" / "sensors" / "guaiba_portoalegre_15min_2024.csv"
TOWN = ROOT / "deploy" / "rehearsals" / "porto-alegre-ensayo"
LOCAL = timezone(timedelta(hours=-3))


def recorded(first: datetime, last: datetime) -> list[tuple[datetime, float]]:
    """Newest first, naive local time, comma and unit in the value, some rows twice."""
    found: dict[datetime, float] = {}
    with RECORD.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            moment = datetime.strptime(row["Timestamp"], "%d/%m/%Y %H:%M").replace(tzinfo=LOCAL)
            if first <= moment < last:
                found[moment] = float(row["Measurement"].removesuffix(" m").replace(",", "."))
    return sorted(found.items())


@pytest.fixture(scope="module")
def changes() -> list[Change]:
    if not RECORD.exists():
        pytest.skip(f"the record of the Guaíba is not beside the project: {RECORD}")
    town = load_folder(TOWN)
    (sensor,) = town.sensors
    rows = recorded(datetime(2024, 5, 1, tzinfo=LOCAL), datetime(2024, 5, 7, tzinfo=LOCAL))
    inputs: list[Reading | Tick] = []
    now = rows[0][0]
    for n, (moment, value) in enumerate(rows, start=1):
        while now < moment:
            inputs.append(Tick(now.astimezone(UTC)))
            now += timedelta(minutes=1)
        utc = moment.astimezone(UTC)
        inputs.append(Reading(n, sensor.sensor_id, sensor.property.value, value, sensor.unit, utc, utc))
    return fold(book_of(town), empty(town.id), inputs)[1]


def local(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(LOCAL).strftime("%m-%d %H:%M")


@pytest.mark.real_data
def test_levels_are_crossed_when_the_record_crosses_them(changes: list[Change]) -> None:
    moves = [
        (local(one.observed_at), one.after) for one in changes if one.kind == "condition" and one.provisional
    ]
    assert moves == [("05-02 04:00", 2), ("05-02 13:15", 3), ("05-02 22:00", 4)]


@pytest.mark.real_data
def test_silence_is_one_matter_and_hourly_gaps_are_none(changes: list[Change]) -> None:
    """From 23:15 on; the two hours of 05-04 join it, gaps of an hour open nothing."""
    silent = [one.snapshot for one in changes if one.snapshot and one.snapshot.kind == "no_data"]
    assert len({one.incident_id for one in silent}) == 1
    assert local(silent[0].observed_at) == "05-02 23:15"
    codes = [one.reasons[0].code for one in silent]
    assert codes == ["silence.site_opened", "silence.back", "silence.site_joined", "silence.back"]


@pytest.mark.real_data
def test_nothing_is_lowered(changes: list[Change]) -> None:
    levels = [one.snapshot.level for one in changes if one.snapshot and one.snapshot.kind == "hazard"]
    assert levels == sorted(levels)
    assert levels[-1] == 4
