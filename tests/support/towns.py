"""Write whole, valid municipalities of any size into a folder: for stories, chaos and bad-input tests."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

FICTIONAL_PREFIX = "+50370"
SENDER = "+50370000000"
OPERATORS = ("ana", "beto", "carla")
BRIGADES = ("brigada-norte", "brigada-sur")
SINCE = "2020-01-01T00:00:00-06:00"
UNTIL = "2100-01-01T00:00:00-06:00"
LEVELS: tuple[tuple[int, float, float], ...] = ((2, 2.5, 2.4), (3, 3.0, 2.9), (4, 3.6, 3.5))


@dataclass(frozen=True)
class WrittenTown:
    """Where it lies and what is in it. ``residents`` maps a zone to its phones, nearest first."""

    id: str
    folder: Path
    zones: tuple[str, ...]
    sensors: tuple[str, ...]
    residents: Mapping[str, tuple[str, ...]]
    phones: Mapping[str, str]


def operator_key(operator_id: str) -> Ed25519PrivateKey:
    """Return the private key of an operator of a written town: the same in every town and run."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"operator {operator_id}".encode()).digest())


def operator_pem(operator_id: str) -> bytes:
    """Return that key as ``MUNICIPIO_OPERATOR_KEY_FILE`` would hold it."""
    return operator_key(operator_id).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def write_town(
    directory: Path,
    town_id: str,
    *,
    zones: int = 200,
    residents_per_zone: int = 5,
    safe_release: bool = True,
    min_sources: int = 1,
    release_after_s: int = 180,
    signatures: int = 1,
    confirm: int = 1,
    lateness_s: int = 900,
    sensors_per_zone: int = 1,
    silent_after: str = "PT90M",
    expected_every_s: int = 900,
    valid_hours: float = 6,
    renew_before_min: tuple[int, int] = (30, 5),
    levels: Sequence[tuple[int, float, float]] = LEVELS,
    time_zone: str = "America/El_Salvador",
    sender: str = SENDER,
    surname: str = "",
) -> WrittenTown:
    """Write ``directory/town_id``: per zone its gauge(s), one rule each, and its residents.

    Zones are ``z-001``…, gauges ``g-001`` (a second one of the zone ``g-001-b``), rules ``r-001``…, the
    same in every town, like the phones: two towns written side by side collide on purpose.
    ``renew_before_min``: when a person is asked whether a warning goes on, and when it does by rule.
    """
    folder = directory / town_id
    (folder / "profiles").mkdir(parents=True, exist_ok=True)
    numbers = [f"{index:03d}" for index in range(1, zones + 1)]
    gauges = {number: _gauges(number, sensors_per_zone) for number in numbers}
    residents = {f"z-{number}": _residents(index, residents_per_zone) for index, number in enumerate(numbers)}
    people = {person: f"{FICTIONAL_PREFIX}{index:06d}" for index, person in enumerate(_people(), start=1)}
    everything: dict[str, object] = {
        "municipality.yaml": {
            "id": town_id,
            "name": f"Villa {town_id.title()}",
            "country": "SV",
            "time_zone": time_zone,
            "languages": ["es"],
            "level_labels": ["Normal", "Vigilancia", "Preparación", "Acción", "Impacto"],
            "sender": {"name": f"ALCALDIA DE {town_id.upper()}"[:40], "number": sender},
            "approval": {"signatures": signatures},
            "fictional_prefix": FICTIONAL_PREFIX,
            "verify_phrase": "Compruebe en la alcaldia",
        },
        "legal.yaml": _legal(safe_release, min_sources, release_after_s),
        "operators.yaml": {"operators": [_operator(operator) for operator in OPERATORS]},
        "zones.geojson": _collection([_zone(index, number) for index, number in enumerate(numbers)]),
        "refuges.geojson": _collection([_refuge()]),
        "rulebook.yaml": {
            "rules": [
                *(
                    _level_rule(number, gauge, confirm, lateness_s, levels)
                    for number in numbers
                    for gauge in gauges[number]
                ),
                _silence_rule(silent_after),
            ]
        },
        "protocols.yaml": {"protocols": _protocols(valid_hours, renew_before_min)},
        "shifts.yaml": {"rosters": [_roster()]},
    }
    for name, content in everything.items():
        (folder / name).write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    sensors = [gauge for number in numbers for gauge in gauges[number]]
    _write_sensors(folder, sensors, expected_every_s)
    _write_people(folder, people, surname)
    _write_residents(folder, residents)
    zone_ids = tuple(f"z-{number}" for number in numbers)
    return WrittenTown(town_id, folder, zone_ids, tuple(sensors), residents, people)


def change(folder: Path, name: str, old: str, new: str) -> None:
    """Replace ``old`` once in a file of the folder; it must be there."""
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{old!r} is not in {name}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def _people() -> tuple[str, ...]:
    return (*OPERATORS, *BRIGADES)


def _gauges(number: str, count: int) -> tuple[str, ...]:
    return tuple(f"g-{number}" + ("" if at == 0 else f"-{chr(ord('a') + at)}") for at in range(count))


def _residents(zone: int, count: int) -> tuple[str, ...]:
    return tuple(f"{FICTIONAL_PREFIX}{100_000 + zone * count + at:06d}" for at in range(count))


def _legal(safe_release: bool, min_sources: int, after_s: int) -> dict[str, object]:
    release = {
        "resolution": "12-2026",
        "hazard": "flood",
        "min_level": 3,
        "min_sources": min_sources,
        "valid_from": SINCE,
        "valid_to": UNTIL,
        "signed_by": "Concejo Municipal",
        "after_s": after_s,
    }
    signatories = [{"operator": operator, "instrument": "Acuerdo 3-2026"} for operator in OPERATORS]
    return {"signatories": signatories, "safe_release": [release] if safe_release else []}


def _operator(operator_id: str) -> dict[str, object]:
    raw = operator_key(operator_id).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {
        "id": operator_id,
        "name": operator_id.title(),
        "roles": ["coordinator", "authoriser"],
        "person_id": operator_id,
        "public_key": base64.b64encode(raw).decode(),
        "valid_from": SINCE,
    }


def _collection(features: list[dict[str, object]]) -> dict[str, object]:
    return {"type": "FeatureCollection", "features": features}


def _zone(index: int, number: str) -> dict[str, object]:
    west, south = -88.9 + (index % 20) * 0.005, 13.5 + (index // 20) * 0.005
    east, north = west + 0.004, south + 0.004
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    facts = {
        "id": f"z-{number}",
        "name": f"Zona {number}",
        "aliases": [],
        "population": 400,
        "households": 100,
        "source": "Inventado",
        "year": 2026,
        "refuge": "escuela",
        "walking_min": 10,
        "route": "Calle 3",
        "impact": "Agua de 1 m en 40 min",
    }
    rounded = [[round(lon, 4), round(lat, 4)] for lon, lat in ring]
    geometry = {"type": "Polygon", "coordinates": [rounded]}
    return {"type": "Feature", "properties": facts, "geometry": geometry}


def _refuge() -> dict[str, object]:
    facts = {"id": "escuela", "name": "Escuela Central", "capacity": 500}
    geometry = {"type": "Point", "coordinates": [-88.88, 13.55]}
    return {"type": "Feature", "properties": facts, "geometry": geometry}


def _row(rule_id: str, kind: str) -> dict[str, object]:
    return {
        "id": rule_id,
        "kind": kind,
        "hazard": "flood",
        "valid_from": SINCE,
        "author": "Ana",
        "source": "Inventado para pruebas",
        "signed_by": ["ana", "beto"],
    }


def _level_rule(
    number: str, gauge: str, confirm: int, lateness_s: int, levels: Sequence[tuple[int, float, float]]
) -> dict[str, object]:
    return _row(f"r-{gauge.removeprefix('g-')}", "level") | {
        "sensor": gauge,
        "property": "river_level",
        "unit": "m",
        "datum": "cero de mira",
        "zones": [f"z-{number}"],
        "confirm": confirm,
        "lateness_s": lateness_s,
        "levels": [{"level": level, "raise_at": up, "clear_below": down} for level, up, down in levels],
    }


def _silence_rule(after: str) -> dict[str, object]:
    return _row("silencio", "no_data") | {"no_data": "site", "after": after, "level": 1}


def _protocols(valid_hours: float, renew_before_min: tuple[int, int]) -> list[dict[str, object]]:
    flood_steps = [
        {"after_s": 0, "channel": "sms", "who": "on_duty"},
        {"after_s": 120, "channel": "voice", "who": "on_duty"},
        {"after_s": 300, "channel": "sms", "who": "next"},
        {"after_s": 300, "channel": "voice", "who": "next"},
        {"after_s": 600, "channel": "sms", "who": "all"},
    ]
    brigade = {"kind": "alert_brigade", "assignee": "brigada-norte", "title": "Perifonear la zona"}
    gauge = {"kind": "read_gauge", "assignee": "brigada-sur", "title": "Leer la regla del río"}
    flood = {
        "hazard": "flood",
        "kind": "hazard",
        "warning": {
            "from_level": 3,
            "template": "flood",
            "valid_hours": valid_hours,
            "renew_before_min": renew_before_min[0],
            "auto_renew_before_min": renew_before_min[1],
        },
        "levels": [
            {"level": 1, "roster": "guardia", "steps": flood_steps[:1]},
            {"level": 2, "roster": "guardia", "steps": flood_steps[:2]},
            {"level": 3, "roster": "guardia", "steps": flood_steps, "tasks": [brigade]},
        ],
    }
    silence = {
        "hazard": "flood",
        "kind": "no_data",
        "levels": [{"level": 1, "roster": "guardia", "steps": flood_steps[:1], "tasks": [gauge]}],
    }
    return [flood, silence]


def _roster() -> dict[str, object]:
    week = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    always = {"days": week, "starts": "00:00", "ends": "00:00", "on_duty": ["ana"]}
    return {"id": "guardia", "succession": list(OPERATORS), "shifts": [always]}


def _write_sensors(folder: Path, gauges: Sequence[str], expected_every_s: int) -> None:
    header = "sensor_id site property unit datum river lat lon min_plausible max_plausible expected_every_s"
    river = ("river_level", "m", "cero de mira", "Rio Claro", 13.5, -88.9, -1, 15, expected_every_s)
    rows = ((gauge, f"s-{gauge.removeprefix('g-')}", *river) for gauge in gauges)
    _write_table(folder / "sensors.csv", header.split(), rows)


def _write_people(folder: Path, people: Mapping[str, str], surname: str) -> None:
    rows = (
        (
            person,
            f"{person.title()} {surname}".strip(),
            "brigade" if person in BRIGADES else "authoriser",
            phone,
            "es",
        )
        for person, phone in people.items()
    )
    _write_table(folder / "directory.csv", ["person_id", "name", "role", "phone", "language"], rows)


def _write_residents(folder: Path, residents: Mapping[str, Sequence[str]]) -> None:
    rows = (
        (f"{zone}-r{at + 1}", phone, zone, f"B{at + 1}", 20 * (at + 1), "es")
        for zone, phones in residents.items()
        for at, phone in enumerate(phones)
    )
    header = ["resident_id", "phone", "zone", "block", "distance_m", "language"]
    _write_table(folder / "residents.csv", header, rows)


def _write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
