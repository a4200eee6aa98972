"""The example's flood rises as fast as a real river did, and crosses the town's own thresholds in time."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.municipality import load_folder
from tests.unit.schemas.conftest import EXAMPLES

GUAIBA = Path(__file__).parents[4] / "shared" / "data" / "sensors" / "guaiba_portoalegre_15min_2024.csv"
METRES_PER_HOUR = 0.0675
HOUR = timedelta(hours=1)


def flood(sensor_id: str) -> list[tuple[datetime, float]]:
    with (EXAMPLES / "ejemplo" / "flood.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["sensor_id"] == sensor_id]
    return [(datetime.fromisoformat(row["observed_at"]), float(row["value"])) for row in rows]


def test_flood_names_only_sensors_of_the_town() -> None:
    """Every gauge reports every 15 minutes, in the unit of its row."""
    town = load_folder(EXAMPLES / "ejemplo")
    with (EXAMPLES / "ejemplo" / "flood.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert ["observed_at", "sensor_id", "property", "value", "unit"] == list(rows[0])
    assert set(town.sensor_of) == {row["sensor_id"] for row in rows}
    assert all(town.sensor_of[row["sensor_id"]].unit == row["unit"] for row in rows)


def test_flood_rises_as_fast_as_the_guaiba_did() -> None:
    """0.0675 m/h: 0.81 m in the twelve hours before the gauge of Porto Alegre was destroyed."""
    bridge = flood("rc-puente")
    (start, low), (end, high) = bridge[0], bridge[-1]
    assert METRES_PER_HOUR == pytest.approx((high - low) / ((end - start) / HOUR), abs=0.001)


def test_main_gauge_reaches_action_in_the_night() -> None:
    """3.00 m at 02:45, the second of two readings at 03:00."""
    above = [at for at, value in flood("rc-puente") if value >= 3.0]
    assert datetime(2026, 5, 5, 8, 45, tzinfo=UTC) == above[0]


def test_other_zones_stay_below_action() -> None:
    """Only La Vega is warned: nobody else must get a text."""
    assert max(value for _, value in flood("rc-mercado")) < 3.2
    assert max(value for _, value in flood("rc-sanjose")) < 3.0


@pytest.mark.real_data
@pytest.mark.skipif(not GUAIBA.exists(), reason="the recorded Guaíba of 2024 is not beside the project")
def test_figure_that_the_example_cites_is_that_of_the_record() -> None:
    """2.88 m on 2024-05-02 at 11:15, 3.69 m at 23:15."""
    with GUAIBA.open(encoding="utf-8", newline="") as file:
        values = {row["Timestamp"]: row["Measurement"] for row in csv.DictReader(file)}
    assert ("2,88 m", "3,69 m") == (values["02/05/2024 11:15"], values["02/05/2024 23:15"])
    assert METRES_PER_HOUR == pytest.approx((3.69 - 2.88) / 12)
