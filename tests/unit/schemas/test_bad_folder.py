"""Each fault of a municipality's folder is said with its file, line, field and reason."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from schemas.municipality import FolderError, FolderErrors, check_folder, load_folder
from tests.support.towns import change

# file, what stands there, what is put in its place, words that mark the line, field, reason
RULES = [
    (
        "clear above raise",
        "level: 3, raise_at: 3.00, clear_below: 2.90",
        "level: 3, raise_at: 3.00, clear_below: 3.10",
        "rules[1].levels[2].clear_below",
        "3.1 must be lower than raise_at 3.0",
    ),
    (
        "clear equal to raise",
        "level: 3, raise_at: 3.00, clear_below: 2.90",
        "level: 3, raise_at: 3.00, clear_below: 3.00",
        "rules[1].levels[2].clear_below",
        "3.0 must be lower than raise_at 3.0",
    ),
    (
        "overlapping levels",
        "level: 3, raise_at: 3.00",
        "level: 2, raise_at: 3.00",
        "rules[1].levels[2].level",
        "levels overlap: 2 follows 2",
    ),
    (
        "raise not increasing",
        "level: 4, raise_at: 3.60, clear_below: 3.50",
        "level: 4, raise_at: 3.00, clear_below: 2.95",
        "rules[1].levels[3].raise_at",
        "3.0 must be above 3.0, the limit of level 3",
    ),
    (
        "clear not increasing",
        "level: 4, raise_at: 3.60, clear_below: 3.50",
        "level: 4, raise_at: 3.60, clear_below: 2.90",
        "rules[1].levels[3].clear_below",
        "2.9 must be above 2.9, where level 3 is left",
    ),
    (
        "a level of five",
        "level: 4, raise_at: 3.60",
        "level: 5, raise_at: 3.60",
        "rules[1].levels[3].level",
        "5",
    ),
    ("level zero", "level: 1, raise_at: 2.20", "level: 0, raise_at: 2.20", "rules[0].levels[0].level", "0"),
    ("a word for a number", "raise_at: 3.60", "raise_at: alto", "rules[1].levels[3].raise_at", "'alto'"),
    ("not a number", "raise_at: 3.60", "raise_at: .nan", "rules[1].levels[3].raise_at", "finite"),
    ("infinite", "raise_at: 3.60", "raise_at: 1e999", "rules[1].levels[3].raise_at", "finite"),
    (
        "400 digits",
        "raise_at: 3.60",
        "raise_at: " + "9" * 400,
        "rules[1].levels[3].raise_at",
        "finite number",
    ),
    ("5000 digits", "raise_at: 3.60", "raise_at: " + "9" * 5000, "rules[1].levels[3].raise_at", "number"),
    (
        "unknown zone",
        "zones: [el-centro]",
        "zones: [el-norte]",
        "rules[3].zones[0]",
        "el-norte is not a zone",
    ),
    (
        "zone twice",
        "zones: [el-centro]",
        "zones: [el-centro, el-centro]",
        "rules[3].zones[1]",
        "stands twice",
    ),
    ("no zone", "zones: [el-centro]", "zones: []", "rules[3].zones", "at least 1"),
    ("unknown sensor", "sensor: rc-vado", "sensor: rc-pozo", "rules[2].sensor", "rc-pozo is not a sensor"),
    (
        "unit of another",
        "unit: m\n    datum: cero mira El V",
        "unit: cm\n    datum: cero mira El V",
        "rules[2].unit",
        "expected 'm'",
    ),
    (
        "datum of another",
        "datum: cero mira El Vado",
        "datum: cero viejo",
        "rules[2].datum",
        "expected 'cero mira El Vado'",
    ),
    ("property of another", "sensor: rc-vado", "sensor: lluvia-loma", "rules[2].property", "expected 'rain'"),
    (
        "never reached",
        "level: 4, raise_at: 3.60",
        "level: 4, raise_at: 36.0",
        "rules[1].levels[3].raise_at",
        "never reached",
    ),
    (
        "confirm nothing",
        "confirm: 2\n    levels:\n      - { level: 1, raise_at: 1.90",
        "confirm: 0\n    levels:\n      - { level: 1, raise_at: 1.90",
        "rules[2].confirm",
        "at least 1 reading",
    ),
    (
        "a date that does not exist",
        "valid_from: 2026-01-01",
        "valid_from: 2026-02-30",
        "rules[0].valid_from",
        "2026-02-30",
    ),
    (
        "a time without offset",
        "valid_from: 2026-01-01T00:00:00-06:00",
        "valid_from: 2026-01-01T00:00:00",
        "rules[0].valid_from",
        "has no offset",
    ),
    (
        "ends before it starts",
        "    author: Ana",
        "    valid_to: 2025-01-01T00:00:00-06:00\n    author: Ana",
        "rules[0].valid_to",
        "must be after valid_from",
    ),
    (
        "the same rule twice",
        "id: claro-vado",
        "id: claro-puente",
        "rules[2].valid_from",
        "rule claro-puente is in force twice",
    ),
    ("one signature", "signed_by: [ana, carla]", "signed_by: [ana]", "rules[0].signed_by", "at least 2"),
    (
        "signed twice by one",
        "signed_by: [ana, carla]",
        "signed_by: [ana, ana]",
        "rules[0].signed_by[1]",
        "stands twice",
    ),
    (
        "signed by nobody known",
        "signed_by: [ana, carla]",
        "signed_by: [ana, zoe]",
        "rules[0].signed_by[1]",
        "zoe is not a person",
    ),
    ("silence after nothing", "after: PT90M", "after: PT0S", "rules[5].after", "longer than nothing"),
    (
        "silence between readings",
        "after: PT90M",
        "after: PT15M",
        "rules[5].after",
        "not longer than the 900 s",
    ),
    ("silence in words", "after: PT90M", "after: noventa minutos", "rules[5].after", "noventa"),
    ("a word unknown", "hazard: flood", "hazard: fluud", "rules[0].hazard", "expected one of: flood"),
    ("a kind unknown", "kind: no_data", "kind: silence", "rules[5].kind", "expected one of: level, no_data"),
    ("nobody would be told", "hazard: flood", "hazard: landslide", "rules[0].hazard", "no protocol"),
    ("a field unknown", "confirm: 2", "confrim: 2", "rules[0].confrim", "did you mean confirm?"),
    ("a field missing", "    author: Ana\n", "", "rules[0].author", "is required"),
    ("no text where text is due", "id: claro-vado", "id: 7", "rules[2].id", "put it in quotes"),
    ("a list is not one", "rules:", "rules: 3\nreglas:", "rules", "must be a list"),
]

OTHERS = [
    (
        "municipality.yaml",
        "time_zone: America/El_Salvador",
        "time_zone: America/Cuscatlan",
        "time_zone",
        "not a time zone",
    ),
    ("municipality.yaml", "id: ejemplo", "id: otro", "id", "not the name of its folder"),
    ("municipality.yaml", "signatures: 1", "signatures: 4", "approval.signatures", "less than or equal to 3"),
    ("municipality.yaml", ", Impacto]", "]", "level_labels", "at least 5"),
    (
        "municipality.yaml",
        'number: "+50370000000"',
        'number: "+50322220000"',
        "sender.number",
        "outside the fictional range",
    ),
    (
        "municipality.yaml",
        'number: "+50370000000"',
        "number: +50370000000",
        "sender.number",
        "put it in quotes",
    ),
    (
        "municipality.yaml",
        'fictional_prefix: "+50370000"',
        "",
        "fictional_prefix",
        "is required outside production",
    ),
    ("legal.yaml", "resolution: 12-2026\n    hazard", "hazard", "safe_release[0].resolution", "is required"),
    ("legal.yaml", "resolution: 12-2026", 'resolution: ""', "safe_release[0].resolution", "1 characters"),
    ("legal.yaml", "zones: [la-vega]", "zones: [la-mar]", "safe_release[0].zones[0]", "la-mar is not a zone"),
    (
        "legal.yaml",
        "valid_to: 2027",
        "valid_to: 2025",
        "safe_release[0].valid_to",
        "must be after valid_from",
    ),
    (
        "legal.yaml",
        "    signed_by: Concejo Municipal de Villa Esperanza\n",
        "",
        "safe_release[0].signed_by",
        "is required",
    ),
    ("legal.yaml", "operator: ana", "operator: zoe", "signatories[0].operator", "zoe is not an operator"),
    (
        "operators.yaml",
        "roles: [coordinator, authoriser]",
        "roles: [coordinator]",
        "signatories[0].operator",
        "role authoriser",
    ),
    ("operators.yaml", "roles: [authoriser]", "roles: [jefa]", "operators[2].roles[0]", "'jefa'"),
    ("operators.yaml", "person_id: ana", "person_id: zoe", "operators[0].person_id", "zoe is not a person"),
    ("operators.yaml", "    public_key_file: ana.pub\n", "", "operators[0].public_key", "is required"),
    (
        "operators.yaml",
        "public_key_file: ana.pub",
        "public_key: AAAA",
        "operators[0].public_key",
        "expected the 32 raw bytes",
    ),
    (
        "operators.yaml",
        "public_key_file: ana.pub",
        "public_key_file: ../../ana.pub",
        "operators[0].public_key_file",
        "form",
    ),
    ("operators.yaml", "id: beto", "id: ana", "operators[1].id", "ana stands twice"),
    (
        "zones.geojson",
        '"refuge": "escuela-central"',
        '"refuge": "estadio"',
        "features[0].properties.refuge",
        "not a refuge",
    ),
    (
        "zones.geojson",
        '"population": 1150',
        '"population": -1',
        "features[0].properties.population",
        "greater than or equal to 0",
    ),
    (
        "zones.geojson",
        '"households": 290',
        '"households": 2900',
        "features[0].properties.households",
        "cannot hold",
    ),
    (
        "zones.geojson",
        '"year": 2025,',
        '"year": 2025, "color": 1,',
        "features[0].properties.color",
        "not a field",
    ),
    (
        "zones.geojson",
        "[-88.8985, 13.5475]]]",
        "[-88.8985, 13.5476]]]",
        "features[0].geometry.coordinates[0]",
        "is not closed",
    ),
    (
        "zones.geojson",
        "[-88.8985, 13.5475]]]",
        "[-188.8985, 13.5475]]]",
        "features[0].geometry.coordinates[0][4][0]",
        "-180",
    ),
    ("zones.geojson", '"type": "Polygon"', '"type": "Point"', "features[0].geometry.type", "Polygon"),
    (
        "zones.geojson",
        '"id": "el-centro",',
        '"id": "el-centro", "id": "x",',
        "features[1].properties.id",
        "stands twice",
    ),
    (
        "refuges.geojson",
        '"id": "casa-comunal"',
        '"id": "escuela-central"',
        "features[1].properties.id",
        "stands twice",
    ),
    (
        "sensors.csv",
        "rc-vado,vado-la-vega,river_level,m",
        "rc-vado,vado-la-vega,river_level,cm",
        "unit",
        "expected 'm'",
    ),
    ("sensors.csv", "lluvia-loma,", "rc-puente,", "sensor_id", "rc-puente stands twice; first on line 3"),
    ("sensors.csv", "rc-puente,60", "rc-nada,60", "upstream_of", "rc-nada is not a sensor"),
    ("sensors.csv", "rc-puente,60", "rc-arriba,60", "upstream_of", "is the sensor itself"),
    (
        "sensors.csv",
        "lluvia-loma,cerro-la-loma,rain",
        "lluvia-loma,cerro-la-loma,nieve",
        "property",
        "expected one of",
    ),
    ("sensors.csv", "13.5720", "trece", "lat", "'trece'"),
    (
        "sensors.csv",
        "13.5635,-88.9002,0,120",
        "13.5635,-88.9002,120,0",
        "max_plausible",
        "above min_plausible",
    ),
    ("sensors.csv", ",,,alcaldia\nlluvia", ",,alcaldia\nlluvia", "row", "has 13 cells; expected 14"),
    ("sensors.csv", "travel_min,network", "travel_min,travel_min", "travel_min", "names a column twice"),
    ("sensors.csv", "travel_min,network", "travel_min,red", "red", "not a field of this file"),
    (
        "protocols.yaml",
        "roster: guardia",
        "roster: noche",
        "protocols[0].levels[0].roster",
        "noche is not a roster",
    ),
    ("protocols.yaml", "who: next", "who: vecino", "protocols[0].levels[1].steps[2].who", "'vecino'"),
    (
        "protocols.yaml",
        "channel: voice",
        "channel: fax",
        "protocols[0].levels[1].steps[1].channel",
        "expected one of: sms, voice",
    ),
    (
        "protocols.yaml",
        "after_s: 300",
        "after_s: 900",
        "protocols[0].levels[1].steps[2].after_s",
        "before the step above",
    ),
    ("protocols.yaml", "- level: 2", "- level: 1", "protocols[0].levels[1].level", "levels overlap"),
    (
        "protocols.yaml",
        "assignee: brigada-norte",
        "assignee: nadie",
        "protocols[0].levels[1].tasks[0].assignee",
        "nadie is not a person",
    ),
    (
        "protocols.yaml",
        "auto_renew_before_min: 5",
        "auto_renew_before_min: 30",
        "protocols[0].warning.auto_renew_before_min",
        "first a person is asked",
    ),
    (
        "protocols.yaml",
        "valid_hours: 4",
        "valid_hours: 0.5",
        "protocols[0].warning.renew_before_min",
        "0.5 h",
    ),
    ("protocols.yaml", "kind: no_data", "kind: hazard", "protocols[1].hazard", "stands twice"),
    ("shifts.yaml", "[ana, beto, carla]", "[ana, beto]", "rosters[0].succession", "at least 3 deep"),
    (
        "shifts.yaml",
        "[ana, beto, carla]",
        "[ana, beto, zoe]",
        "rosters[0].succession[2]",
        "zoe is not a person",
    ),
    (
        "shifts.yaml",
        "on_duty: [beto]",
        "on_duty: [zoe]",
        "rosters[0].shifts[0].on_duty[0]",
        "zoe is not a person",
    ),
    ("shifts.yaml", 'starts: "06:00"', 'starts: "25:00"', "rosters[0].shifts[0].starts", "25:00"),
    ("shifts.yaml", "[monday, ", "[lunes, ", "rosters[0].shifts[0].days[0]", "'lunes'"),
    ("directory.csv", "+50370000002", "+50378881234", "phone", "outside the fictional range"),
    ("directory.csv", "+50370000002", "7000-0002", "phone", "does not have the form"),
    ("directory.csv", "beto,Beto,coordinator", "ana,Beto,coordinator", "person_id", "ana stands twice"),
    (
        "directory.csv",
        "beto,Beto,coordinator,+50370000002,es",
        "beto,Beto,coordinator,+50370000002,en",
        "language",
        "en is not a language",
    ),
    (
        "residents.csv",
        "vecino-20,+50370000120,el-centro",
        "vecino-20,+50370000120,el-sur",
        "zone",
        "el-sur is not a zone",
    ),
    ("residents.csv", "+50370000120", "+50371234567", "phone", "outside the fictional range"),
    ("residents.csv", "vecino-20,", "ana,", "resident_id", "ana is a person of directory.csv"),
    ("profiles/guaiba.yaml", "sensor: rc-puente", "sensor: rc-nada", "sensor", "rc-nada is not a sensor"),
    ("profiles/guaiba.yaml", "sensor: rc-puente\n", "", "sensor", "is required"),
    ("profiles/guaiba.yaml", ', time_zone: "-03:00"', "", "observed_at.time_zone", "is required"),
    ("profiles/guaiba.yaml", '"-03:00"', '"-99:00"', "observed_at.time_zone", "offset such as -03:00"),
    ("profiles/guaiba.yaml", 'decimal: ","', 'decimal: ";"', "value.decimal", "';'"),
]


def found(folder: Path, field: str, reason: str) -> FolderError:
    errors = check_folder(folder)
    matching = [
        error
        for error in errors
        if error.field == field and re.search(reason.replace("[", r"\["), error.reason)
    ]
    assert matching, "\n".join(map(str, errors)) or "nothing was found"
    return matching[0]


@pytest.mark.parametrize(
    ("old", "new", "field", "reason"), [row[1:] for row in RULES], ids=[row[0] for row in RULES]
)
def test_rulebook_that_makes_no_sense_is_refused(
    ejemplo: Path, old: str, new: str, field: str, reason: str
) -> None:
    """What a rulebook may not say is found, and named by its place in the file."""
    change(ejemplo, "rulebook.yaml", old, new)
    error = found(ejemplo, field, reason)
    assert str(ejemplo / "rulebook.yaml") == error.file
    assert error.line > 1


@pytest.mark.parametrize(
    ("file", "old", "new", "field", "reason"), OTHERS, ids=[f"{row[0]} {row[3]} {row[4]}" for row in OTHERS]
)
def test_other_files_that_make_no_sense_are_refused(
    ejemplo: Path, file: str, old: str, new: str, field: str, reason: str
) -> None:
    """What the other files may not say is found as well."""
    change(ejemplo, file, old, new)
    error = found(ejemplo, field, reason)
    expected = {"operators.yaml signatories[0].operator": "legal.yaml"}.get(f"{file} {field}", file)
    assert str(ejemplo / expected) == error.file


def test_error_reads_file_line_field_reason(ejemplo: Path) -> None:
    """The line is that of the field itself."""
    change(
        ejemplo,
        "rulebook.yaml",
        "level: 3, raise_at: 3.00, clear_below: 2.90",
        "level: 3, raise_at: 3.00, clear_below: 3.10",
    )
    text = (ejemplo / "rulebook.yaml").read_text(encoding="utf-8")
    line = text[: text.index("clear_below: 3.10")].count("\n") + 1
    reason = "3.1 must be lower than raise_at 3.0, or the river rings twice"
    expected = f"{ejemplo}/rulebook.yaml:{line}: rules[1].levels[2].clear_below: {reason}"
    assert expected == str(check_folder(ejemplo)[0])


def test_error_in_a_table_names_the_row(ejemplo: Path) -> None:
    """The line of a table is the row's, the field its column."""
    change(ejemplo, "residents.csv", "+50370000120", "+50371234567")
    (error,) = check_folder(ejemplo)
    assert (21, "phone") == (error.line, error.field)


def test_error_in_geojson_names_the_line(ejemplo: Path) -> None:
    """GeoJSON has lines too, with tabs as well."""
    path = ejemplo / "zones.geojson"
    text = (
        path.read_text(encoding="utf-8").replace("        ", "\t\t").replace('"year": 2025', '"year": "x"', 1)
    )
    path.write_text(text, encoding="utf-8")
    (error,) = [error for error in check_folder(ejemplo) if "zones.geojson" in error.file]
    assert text[: text.index('"year": "x"')].count("\n") + 1 == error.line


def test_all_faults_are_said_at_once(ejemplo: Path) -> None:
    """One run names the faults of every file, not only the first."""
    change(ejemplo, "rulebook.yaml", "zones: [el-centro]", "zones: [el-norte]")
    change(ejemplo, "rulebook.yaml", "confirm: 2", "confrim: 2")
    change(ejemplo, "directory.csv", "+50370000002", "+50378881234")
    change(ejemplo, "legal.yaml", "operator: ana", "operator: zoe")
    files = {Path(error.file).name for error in check_folder(ejemplo)}
    assert {"rulebook.yaml", "directory.csv", "legal.yaml"} == files
    with pytest.raises(FolderErrors) as caught:
        load_folder(ejemplo)
    assert 4 == len(caught.value.errors) == len(str(caught.value).splitlines())


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("rules:\n  - id: [a\n", 3, "is not YAML 1.2"),
        ("rules:\n\t- id: a\n", 2, "is not YAML 1.2"),
        ("rules: []\nrules: []\n", 2, "stands twice; first on line 1"),
        ("rules: &all []\n", 1, "has an anchor"),
        ("rules:\n  - !!python/object:os.system x\n", 2, "has the tag"),
        ("rules:\n  - *nobody\n", 2, "is not YAML 1.2"),
        ("rules: []\n---\nrules: []\n", 2, "is not YAML 1.2"),
        ("", 1, "must be a list of 1 to"),
        ("- 1\n", 1, "must be a list of 1 to"),
        ("rules:\n  - 7\n", 2, "must be a rule"),
        ("rules: " + "[" * 40 + "]" * 40, 1, "nested deeper"),
        ("rules: " + "[" * 5000 + "]" * 5000, 1, "nested too deeply"),
        ("{" * 5000, 1, "is not YAML 1.2|nested too deeply"),
        ('{"rules": [], "rules": []}', 1, "stands twice"),
        ("rules: \x00", 1, "is not YAML 1.2"),
    ],
    ids=lambda value: repr(value)[:24] if isinstance(value, str) else None,
)
def test_rulebook_that_is_no_yaml_is_refused(ejemplo: Path, text: str, line: int, reason: str) -> None:
    """Bad syntax, twins, anchors, tags and depth end in one sentence with a line, never in a crash."""
    (ejemplo / "rulebook.yaml").write_text(text, encoding="utf-8")
    errors = [error for error in check_folder(ejemplo) if error.file.endswith("rulebook.yaml")]
    assert any(error.line == line and re.search(reason, error.reason) for error in errors), errors


def test_file_that_is_not_utf8_is_refused(ejemplo: Path) -> None:
    """The line of the first wrong byte is named."""
    (ejemplo / "directory.csv").write_bytes(b"person_id,name\nana,\xff\n")
    errors = [error for error in check_folder(ejemplo) if error.file.endswith("directory.csv")]
    assert [(2, "is not UTF-8: byte 0xff; save it as UTF-8")] == [
        (error.line, error.reason) for error in errors
    ]


def test_file_that_is_too_large_is_refused(ejemplo: Path) -> None:
    """A rulebook of megabytes is not read."""
    (ejemplo / "rulebook.yaml").write_text("# " + "x" * 3_000_000, encoding="utf-8")
    assert "at most" in found(ejemplo, "file", "characters long").reason


def test_missing_file_is_named(ejemplo: Path) -> None:
    """A folder without one of its files says which."""
    (ejemplo / "shifts.yaml").unlink()
    errors = [error for error in check_folder(ejemplo) if error.file.endswith("shifts.yaml")]
    assert ["cannot be read: no such file or directory"] == [error.reason for error in errors]


def test_real_numbers_are_welcome_in_production(ejemplo: Path) -> None:
    """Only outside production the fictional range binds."""
    change(ejemplo, "directory.csv", "+50370000002", "+50378881234")
    assert check_folder(ejemplo)
    assert not check_folder(ejemplo, environment="production")


def test_rulebook_of_another_file_is_checked_against_the_town(ejemplo: Path, tmp_path: Path) -> None:
    """``rulebook check FILE`` names that file."""
    other = tmp_path / "propuesta.yaml"
    text = (ejemplo / "rulebook.yaml").read_text(encoding="utf-8")
    other.write_text(text.replace("zones: [el-centro]", "zones: [el-norte]"), encoding="utf-8")
    (error,) = check_folder(ejemplo, rulebook=other)
    assert str(other) == error.file


JUNK = (
    b"null",
    b"{",
    b"[]",
    b"9" * 350,
    b".nan",
    b"'",
    b"\n",
    b"\t",
    b": ",
    b"*a",
    b"!!x ",
    b"\xff",
    b"\x00",
    b"2026-99-99",
)


@pytest.mark.parametrize("seed", range(12))
def test_spoiled_bytes_end_in_sentences(ejemplo: Path, seed: int) -> None:
    """Whatever happens to a file, the answer is a list of faults or a valid town, never a crash."""
    chance = random.Random(seed)
    path = chance.choice(sorted(path for path in ejemplo.rglob("*.*") if path.suffix != ".md"))
    raw = path.read_bytes()
    for _ in range(3):
        at = chance.randrange(len(raw))
        raw = raw[:at] + chance.choice(JUNK) + raw[at + chance.randrange(9) :]
    path.write_bytes(raw)
    for error in check_folder(ejemplo):
        assert error.line >= 1
        assert error.reason
