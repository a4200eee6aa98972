"""Who holds the phones of the fake carrier's page."""

from __future__ import annotations

import json
from pathlib import Path

from municipio.paths import MUNICIPALITIES
from municipio.scene import people, scene, write_scene
from schemas.municipality import load_folder

TOWN = load_folder(MUNICIPALITIES / "ejemplo")


def test_people_are_roles_and_never_names() -> None:
    """What a screen shows of a person is what they are there for."""
    shown = people(TOWN)
    names = {person["name"] for person in shown.values()}
    assert {"Coordinación 1", "Coordinación 2", "Autoridad", "Brigada Norte", "Vecino 01"} <= names
    assert not names & {"Ana", "Beto", "Carla"}
    assert {"name": "Vecino 01", "role": "resident", "zone": "La Vega"} == shown["+50370000101"]


def test_gauges_are_those_of_rivers() -> None:
    """Rain has no level to show."""
    gauges = scene(TOWN)["gauges"]
    assert {"name": "Puente Viejo", "river": "Río Claro", "unit": "m"} == gauges["rc-puente"]
    assert "lluvia-loma" not in gauges


def test_a_folder_that_does_not_load_is_left_out(tmp_path: Path) -> None:
    """The services say what is wrong with it; the page shows numbers."""
    (tmp_path / "towns" / "roto").mkdir(parents=True)
    (tmp_path / "towns" / "roto" / "municipality.yaml").write_text("id: roto\n")
    write_scene(tmp_path / "towns", tmp_path / "people.json", tmp_path / "town.json")
    assert ({}, {}) == tuple(
        json.loads((tmp_path / name).read_text()) for name in ("people.json", "town.json")
    )
