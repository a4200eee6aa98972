"""A municipality's folder is read whole: its people, places, rules, hash and version."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.municipality import FolderErrors, check_folder, load_all, load_folder, load_profile
from schemas.municipality.draft import read_draft
from schemas.municipality.rulebook import LevelRule
from schemas.vocabulary import Hazard, IncidentKind, Level
from tests.support.towns import OPERATORS, change, operator_key, write_town
from tests.unit.schemas.conftest import EXAMPLES

REHEARSALS = EXAMPLES.parent / "rehearsals"
NIGHT = datetime(2026, 5, 5, 8, 45, tzinfo=UTC)


def test_example_towns_are_valid_in_every_environment() -> None:
    """What we ship passes its own check."""
    for environment in ("development", "production"):
        assert {"ejemplo"} == set(load_all(EXAMPLES, environment=environment))
        assert {"porto-alegre-ensayo"} == set(load_all(REHEARSALS, environment=environment))


def test_example_town_is_as_described() -> None:
    """Four zones, six gauges, three operators, two brigades, 40 residents, all numbers fictional."""
    town = load_folder(EXAMPLES / "ejemplo")
    brigades = [person for person in town.directory if person.role == "brigade"]
    counted = (town.zones, town.sensors, town.operators, brigades, town.residents)
    assert [4, 6, 3, 2, 40] == [len(things) for things in counted]
    phones = [person.phone for person in (*town.directory, *town.residents)]
    assert all(phone.startswith(town.town.fictional_prefix or "?") for phone in phones)
    assert len(set(phones)) == len(phones)
    assert all(zone.population > zone.households > 0 for zone in town.zones)
    (release,) = town.legal.safe_release
    assert ("12-2026", timedelta(seconds=180)) == (release.resolution, timedelta(seconds=release.after_s))


def test_main_zone_has_two_sites_that_can_corroborate() -> None:
    """Safe release needs two sites at level 3, so two of them must be able to say so."""
    town = load_folder(EXAMPLES / "ejemplo")
    sites = {
        town.sensor_of[rule.sensor].site
        for rule in town.rulebook.level_rules
        if "la-vega" in rule.zones and any(row.level >= Level.ACT for row in rule.levels)
    }
    assert {"puente-viejo", "vado-la-vega"} == sites


def test_guaiba_rehearsal_has_the_levels_of_its_gauge() -> None:
    """2.50, 3.00 and 3.60 m, left 0.10 m lower, one reading decides; silent after 90 minutes."""
    town = load_folder(REHEARSALS / "porto-alegre-ensayo")
    (rule,), (silence,) = town.rulebook.level_rules, town.rulebook.silence_rules
    rows = [(row.level, row.raise_at, row.clear_below) for row in rule.levels]
    assert [(2, 2.5, 2.4), (3, 3.0, 2.9), (4, 3.6, 3.5)] == rows
    assert (1, timedelta(minutes=90), "site") == (rule.confirm, silence.after, silence.no_data)
    assert ("guaiba-cais-maua",) == town.rulebook.watched_by(silence)
    assert () == town.legal.safe_release


def test_rules_keep_the_order_of_the_file(ejemplo: Path) -> None:
    """Level and silence rules may be mixed; ids come out as written."""
    town = load_folder(ejemplo)
    assert ["claro-arriba", "claro-puente"] == [rule.id for rule in town.rulebook.rules[:2]]
    assert isinstance(town.rulebook.rules[0], LevelRule)


def test_hash_changes_with_one_byte_and_not_with_residents(ejemplo: Path) -> None:
    """What carries authority is bound; who subscribes is not, nor a note beside it."""
    before = load_folder(ejemplo)
    change(ejemplo, "residents.csv", "vecino-40", "vecino-99")
    (ejemplo / "README.md").write_text("otra cosa", encoding="utf-8")
    assert before.folder_hash == load_folder(ejemplo).folder_hash
    change(ejemplo, "directory.csv", "Beto", "Berto")
    after = load_folder(ejemplo)
    assert before.folder_hash != after.folder_hash
    assert before.rulebook_version == after.rulebook_version


def test_rulebook_version_changes_with_the_rulebook_alone(ejemplo: Path) -> None:
    """A new threshold is a new version."""
    before = load_folder(ejemplo)
    change(ejemplo, "rulebook.yaml", "raise_at: 3.60", "raise_at: 3.65")
    after = load_folder(ejemplo)
    assert before.rulebook_version != after.rulebook_version
    assert before.folder_hash != after.folder_hash
    assert 12 == len(after.rulebook_version)


def test_hash_does_not_depend_on_where_the_folder_lies(tmp_path: Path) -> None:
    """Every service computes the same hash from its own copy."""
    first, second = (write_town(tmp_path / at, "alfa", zones=2).folder for at in ("a", "b"))
    assert load_folder(first).folder_hash == load_folder(second).folder_hash


def test_moving_bytes_between_files_changes_the_hash(ejemplo: Path) -> None:
    """Names and lengths are bound as well as bytes."""
    draft = read_draft(ejemplo)
    moved = dict(draft.files)
    moved["legal.yaml"] += moved["municipality.yaml"][:1]
    moved["municipality.yaml"] = moved["municipality.yaml"][1:]
    before = draft.folder_hash()
    draft.files = moved
    assert before != draft.folder_hash()


def test_operator_keys_come_from_the_keys_folder(ejemplo: Path, tmp_path: Path) -> None:
    """Keys are made at setup, outside the folder; without them the folder can still be checked."""
    (tmp_path / "keys" / "operators").mkdir(parents=True)
    for operator in OPERATORS:
        raw = operator_key(operator).public_key().public_bytes_raw()
        text = base64.b64encode(raw).decode() + "\n"
        (tmp_path / "keys" / "operators" / f"{operator}.pub").write_text(text)
    town = load_folder(ejemplo, keys_dir=tmp_path / "keys")
    raw = operator_key("ana").public_key().public_bytes_raw()
    assert base64.b64encode(raw).decode() == town.operator_of["ana"].public_key
    assert load_folder(ejemplo).operator_of["ana"].public_key is None


@pytest.mark.parametrize(
    ("text", "reason"), [(None, "made at setup"), ("AAAA", "32 raw bytes"), ("*", "base64")]
)
def test_missing_or_broken_operator_key_is_named(
    ejemplo: Path, tmp_path: Path, text: str | None, reason: str
) -> None:
    """A key that cannot be used stops the load with the operator's line."""
    (tmp_path / "operators").mkdir()
    if text is not None:
        for operator in OPERATORS:
            (tmp_path / "operators" / f"{operator}.pub").write_text(text)
    with pytest.raises(FolderErrors) as caught:
        load_folder(ejemplo, keys_dir=tmp_path)
    assert {f"operators[{index}].public_key_file" for index in range(3)} == {
        error.field for error in caught.value.errors
    }
    assert all(reason in error.reason for error in caught.value.errors)


def test_folder_without_municipalities_is_refused(tmp_path: Path) -> None:
    """An empty place is no silent success."""
    with pytest.raises(FolderErrors, match="holds no municipality"):
        load_all(tmp_path)


def test_all_towns_are_checked_before_any_is_refused(tmp_path: Path) -> None:
    """The faults of two towns come together."""
    for name in ("alfa", "beta"):
        change(write_town(tmp_path, name, zones=1).folder, "rulebook.yaml", '"g-001"', '"g-999"')
    with pytest.raises(FolderErrors) as caught:
        load_all(tmp_path)
    assert {"alfa", "beta"} == {Path(error.file).parent.name for error in caught.value.errors}


def test_two_written_towns_collide_on_purpose(tmp_path: Path) -> None:
    """Same sensors, zones and phones in two towns: only the municipality tells them apart."""
    write_town(tmp_path, "alfa", zones=3)
    write_town(tmp_path, "beta", zones=3, safe_release=False)
    towns = load_all(tmp_path)
    alfa, beta = towns["alfa"], towns["beta"]
    assert alfa.sensors == beta.sensors
    assert alfa.zones == beta.zones
    assert alfa.residents == beta.residents
    assert (1, 0) == (len(alfa.legal.safe_release), len(beta.legal.safe_release))


def test_large_town_is_read_quickly_enough(tmp_path: Path) -> None:
    """200 zones with their gauges, rules and 1,000 residents are one valid folder."""
    town = load_folder(write_town(tmp_path, "grande").folder)
    assert (200, 200, 1000) == (len(town.zones), len(town.rulebook.level_rules), len(town.residents))


def test_rule_is_in_force_from_its_day_until_the_next(ejemplo: Path) -> None:
    """A threshold has dates; two rows of one id may follow each other."""
    path = ejemplo / "rulebook.yaml"
    text = path.read_text(encoding="utf-8")
    start = text.index("  - id: claro-vado")
    row = text[start : text.index("  - id: claro-mercado")]
    ended = row.replace("    author:", "    valid_to: 2026-06-01T00:00:00-06:00\n    author:")
    later = row.replace("2026-01-01", "2026-06-01").replace("raise_at: 3.50", "raise_at: 3.55")
    path.write_text(text.replace(row, ended + later), encoding="utf-8")
    assert not check_folder(ejemplo)
    rows = [rule for rule in load_folder(ejemplo).rulebook.level_rules if rule.id == "claro-vado"]
    may, june = datetime(2026, 5, 31, tzinfo=UTC), datetime(2026, 6, 1, 6, tzinfo=UTC)
    assert [True, False] == [rule.in_force(may) for rule in rows]
    assert [False, True] == [rule.in_force(june) for rule in rows]


def test_operator_is_in_office_between_the_dates(ejemplo: Path) -> None:
    """Neither before the appointment nor from its end on."""
    change(
        ejemplo,
        "operators.yaml",
        "public_key_file: ana.pub\n",
        "public_key_file: ana.pub\n    valid_to: 2026-06-01T00:00:00-06:00\n",
    )
    ana = load_folder(ejemplo).operator_of["ana"]
    days = (datetime(2025, 12, 31, tzinfo=UTC), NIGHT, datetime(2026, 6, 1, 6, tzinfo=UTC))
    assert [False, True, False] == [ana.in_office(day) for day in days]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-05-05T02:45:00-06:00", ("ana", "beto", "carla")),
        ("2026-05-05T06:00:00-06:00", ("beto", "ana", "carla")),
        ("2026-05-05T17:59:59-06:00", ("beto", "ana", "carla")),
        ("2026-05-09T03:00:00-06:00", ("ana", "beto", "carla")),
        ("2026-05-09T12:00:00-06:00", ("carla", "ana", "beto")),
        ("2026-05-10T23:00:00-06:00", ("ana", "carla", "beto")),
        ("2026-05-11T05:59:00-06:00", ("ana", "carla", "beto")),
    ],
    ids=[
        "night",
        "relief at six",
        "last second",
        "friday's night",
        "saturday",
        "sunday night",
        "monday early",
    ],
)
def test_duty_order_is_of_the_local_hour(at: str, expected: tuple[str, ...]) -> None:
    """Whoever is on duty first, then the succession; a night belongs to the day on which it began."""
    town = load_folder(EXAMPLES / "ejemplo")
    assert expected == town.roster_of["guardia"].order(town.local(datetime.fromisoformat(at)))


def test_protocol_of_a_level_is_the_highest_one_reached(ejemplo: Path) -> None:
    """A level without a plan of its own uses the plan below; below the first there is none."""
    town = load_folder(ejemplo)
    flood = town.protocols.of(Hazard.FLOOD)
    silence = town.protocols.of(Hazard.FLOOD, IncidentKind.NO_DATA)
    assert flood is not None
    assert silence is not None
    assert [None, 1, 2, 3, 4] == [plan and plan.level for plan in map(flood.at, Level)]
    assert [None, 1, 1, 1, 1] == [plan and plan.level for plan in map(silence.at, Level)]
    assert town.protocols.of(Hazard.EARTHQUAKE) is None


def test_level_label_is_the_towns_own(ejemplo: Path) -> None:
    """Words, never colours."""
    assert "Acción" == load_folder(ejemplo).town.label(Level.ACT)


def test_profile_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    """A missing file is said like any other fault."""
    with pytest.raises(FolderErrors, match="cannot be read"):
        load_profile(tmp_path / "nada.yaml")


def test_profile_with_a_field_unknown_is_an_error(ejemplo: Path) -> None:
    """A profile is as strict as the rest."""
    change(ejemplo, "profiles/guaiba.yaml", "order:", "orden:")
    with pytest.raises(FolderErrors, match=r"guaiba\.yaml:5: orden: is not a field"):
        load_profile(ejemplo / "profiles" / "guaiba.yaml")
