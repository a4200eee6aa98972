"""Who holds the phones of a copy's fake carrier, by role: what its page shows instead of numbers."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from municipio.paths import EXAMPLE_TOWN

if TYPE_CHECKING:
    from schemas.municipality import Municipality

ROLES: Final = {
    "coordinator": "Coordinación",
    "authoriser": "Autoridad",
    "brigade": "Brigada",
    "technician": "Técnico de sensores",
}


def write_scene(municipalities: Path, people_file: Path, town_file: Path) -> None:
    """Write the people of every town, and the town that is shown; a folder that does not load is left out."""
    from schemas.municipality import FolderErrors, load_folder

    towns = []
    for folder in sorted(municipalities.glob("*/municipality.yaml")):
        try:
            towns.append(load_folder(folder.parent))
        except FolderErrors:
            continue  # The services say what is wrong with it.
    _write(people_file, {phone: person for town in towns for phone, person in people(town).items()})
    shown = next((town for town in towns if town.id == EXAMPLE_TOWN), towns[0] if towns else None)
    _write(town_file, scene(shown) if shown else {})


def people(town: Municipality) -> dict[str, dict[str, str]]:
    """Return name, role and zone per number. Names say a role, never who it is: ``Coordinación 2``."""
    how_many = Counter(person.role.value for person in town.directory)
    met: Counter[str] = Counter()
    found = {}
    for person in town.directory:
        role = person.role.value
        met[role] += 1
        name = ROLES.get(role, role)
        if person.team:
            name = f"{name} {person.team.capitalize()}"
        elif how_many[role] > 1:
            name = f"{name} {met[role]}"
        found[person.phone] = {"name": name, "role": role, "zone": ""}
    for number, resident in enumerate(town.residents, 1):
        zone = town.zone_of[resident.zone].name
        found[resident.phone] = {"name": f"Vecino {number:02}", "role": "resident", "zone": zone}
    return found


def scene(town: Municipality) -> dict[str, Any]:
    """Return the town as the page of phones names it."""
    return {
        "id": town.id,
        "name": town.town.name,
        "time_zone": town.town.time_zone,
        "zones": {zone.id: zone.name for zone in town.zones},
        "gauges": {
            sensor.sensor_id: {
                "name": sensor.site.replace("-", " ").title(),
                "river": sensor.river,
                "unit": sensor.unit,
            }
            for sensor in town.sensors
            if sensor.river
        },
    }


def _write(path: Path, told: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)
