"""The command line says yes, no, or why not, in one line and one exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.municipio.conftest import TOKEN, Asked, StubServices

Municipio = Callable[..., tuple[int, str, str]]

INCIDENT = {
    "incident_id": "inc-1",
    "version": 3,
    "kind": "hazard",
    "hazard": "flood",
    "level": 3,
    "state": "open",
    "zones": ["la-vega"],
}


def test_incidents_are_asked_of_triage_for_one_town(services: StubServices, municipio: Municipio) -> None:
    """The default town is asked for, with the administrator's token."""
    services.on("GET", "/admin/v1/incidents", {"items": [INCIDENT], "next": None})
    code, out, _ = municipio("incidents", "--json")
    answer = json.loads(out)
    assert 0 == code
    assert "municipio/incidents/1" == answer["schema"]
    assert [INCIDENT] == answer["items"]
    assert ({"municipality": "ejemplo"}, TOKEN) == (services.asked[0].query, services.asked[0].token)


def test_a_list_of_several_pages_is_read_to_its_end(services: StubServices, municipio: Municipio) -> None:
    """A town with more incidents than a page holds sees them all."""

    def page(asked: Asked) -> dict[str, object]:
        last = asked.query.get("cursor") == "2"
        return {"items": [{"incident_id": "b" if last else "a"}], "next": None if last else 2}

    services.on("GET", "/admin/v1/incidents", page)
    _, out, _ = municipio("incidents", "--json")
    assert ["a", "b"] == [row["incident_id"] for row in json.loads(out)["items"]]


def test_incidents_stand_in_a_table_for_people(services: StubServices, municipio: Municipio) -> None:
    """What is unknown is a dash, never empty."""
    services.on("GET", "/admin/v1/incidents", {"items": [INCIDENT]})
    code, out, _ = municipio("incidents", "list", "--municipality", "otra")
    assert 0 == code
    assert "inc-1" in out
    assert "—" in out
    assert "otra" == services.asked[0].query["municipality"]


def test_an_incident_shows_its_reasons_in_words(services: StubServices, municipio: Municipio) -> None:
    """Reasons are read by a coordinator, so their text is shown, not their code."""
    reasons = [{"code": "level.raised", "text": "El río pasó 3,00 m."}]
    services.on("GET", "/admin/v1/incidents/inc-1", {**INCIDENT, "reasons": reasons})
    code, out, _ = municipio("incidents", "show", "inc-1")
    assert 0 == code
    assert "  - El río pasó 3,00 m." in out.splitlines()


@pytest.mark.parametrize("kind", ["incidents", "warnings"])
def test_one_that_does_not_exist_is_a_no(services: StubServices, municipio: Municipio, kind: str) -> None:
    """Not found is exit 1 with one sentence."""
    code, out, err = municipio(kind, "show", "ghost")
    assert (1, "") == (code, out)
    assert 1 == len(err.strip().splitlines())


def test_warnings_are_asked_of_notify(services: StubServices, municipio: Municipio) -> None:
    """Texts and their fate are notify's."""
    services.on("GET", "/admin/v1/warnings", {"items": [{"warning_id": "w-1", "state": "authorised"}]})
    code, out, _ = municipio("warnings", "--json")
    assert (0, "w-1") == (code, json.loads(out)["items"][0]["warning_id"])


@pytest.mark.parametrize(
    ("status", "expected"), [(401, 2), (400, 2), (403, 1), (404, 1), (409, 1), (422, 1), (503, 3), (500, 70)]
)
def test_what_a_service_answers_becomes_an_exit_code(
    services: StubServices, municipio: Municipio, status: int, expected: int
) -> None:
    """A refusal, a wrong question, a missing dependency and a bug are told apart."""
    services.on("GET", "/admin/v1/incidents", {"title": "No", "detail": "because"}, status)
    code, _, err = municipio("incidents")
    assert expected == code
    assert "because" in err


def test_a_service_that_is_down_is_a_dependency(
    municipio: Municipio, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nobody listens: exit 3 and what to do."""
    monkeypatch.setenv("MUNICIPIO_TRIAGE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("MUNICIPIO_DATA_DIR", str(tmp_path))
    code, _, err = municipio("incidents")
    assert 3 == code
    assert "municipio up" in err


@pytest.mark.parametrize(
    "words", [("nonsense",), ("incidents", "--colour"), ("decide", "inc-1"), ("up", "--base-port", "80")]
)
def test_wrong_use_is_one_line(municipio: Municipio, words: tuple[str, ...]) -> None:
    """A usage error is exit 2, on stderr, in one line."""
    code, out, err = municipio(*words)
    assert (2, "") == (code, out)
    assert 1 == len(err.strip().splitlines())


def test_status_tells_down_from_not_ready(services: StubServices, municipio: Municipio) -> None:
    """Everything well is 0, a red part is 1, a silent service is 3."""
    services.on("GET", "/admin/v1/status", {"oldest_outbox_s": 0.0})
    services.on("GET", "/readyz", {"ok": True})
    assert 0 == municipio("status", "--json")[0]
    services.on("GET", "/readyz", {"ok": False}, 503)
    code, out, _ = municipio("status", "--json")
    assert (1, False) == (code, json.loads(out)["ready"])


def test_status_says_what_is_at_its_bound_and_when_the_disk_is_full(
    services: StubServices, municipio: Municipio
) -> None:
    """Unknown days are no number; the fewest known ones count."""
    bound = {
        "name": "disk_reserve",
        "value": 1.5,
        "most": 1,
        "is_met": True,
        "effect": "503 with Retry-After",
    }
    fine = bound | {"name": "readings_waiting", "value": 0, "is_met": False}
    said = {"disk": {"days_until_full": 12.5}, "bounds": [bound, fine], "lag": {"reports": 3}}
    services.on("GET", "/admin/v1/status", said)
    services.on("GET", "/readyz", {})
    found = json.loads(municipio("status", "--json")[1])
    assert (found["days_until_disk_full"], found["ready"]) == (12.5, True)
    assert {each["name"] for each in found["bounds_reached"]} == {"disk_reserve"}
    _, out, _ = municipio("status")
    assert "days until the disk is full: 12.5" in out
    assert "AT ITS BOUND ingest disk_reserve: 1.5 of 1\n  503 with Retry-After" in out
    assert "readings_waiting" not in out

    services.on("GET", "/admin/v1/status", {"disk": {"days_until_full": None}})
    assert json.loads(municipio("status", "--json")[1])["days_until_disk_full"] is None
    assert "days until the disk is full: —" in municipio("status")[1]


def test_status_with_a_service_down(
    services: StubServices, municipio: Municipio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One service that does not answer makes exit 3 and leaves the others shown."""
    services.on("GET", "/admin/v1/status", {})
    services.on("GET", "/readyz", {})
    monkeypatch.setenv("MUNICIPIO_NOTIFY_URL", "http://127.0.0.1:9")
    code, out, _ = municipio("status")
    assert 3 == code
    assert "triage: ready" in out
    assert "notify: NOT READY" in out


def test_keys_are_made_listed_and_revoked(services: StubServices, municipio: Municipio) -> None:
    """A key's secret is printed once, by the command that made it."""
    services.on("POST", "/admin/v1/keys", {"key_id": "k1", "key": "secret"}, 201)
    services.on("GET", "/admin/v1/keys", {"items": [{"key_id": "k1", "name": "red"}]})
    services.on("DELETE", "/admin/v1/keys/k1", {})
    assert "secret" in municipio("keys", "create", "red")[1]
    assert "k1" in municipio("keys", "list")[1]
    assert 0 == municipio("keys", "revoke", "k1")[0]
    assert {"municipality": "ejemplo", "name": "red"} == services.asked[0].body


def test_a_key_for_reports_or_signatures_says_so(services: StubServices, municipio: Municipio) -> None:
    """911 gets a key that speaks for people and for no sensor; help names the flag."""
    services.on("POST", "/admin/v1/keys", {"key_id": "k1", "key": "secret"}, 201)
    assert 0 == municipio("keys", "create", "911", "--reports", "--may-sign")[0]
    asked = {"municipality": "ejemplo", "name": "911", "reports": True, "may_sign": True}
    assert asked == services.asked[0].body
    assert "--reports" in municipio("keys", "create", "--help")[1]


def test_residents_that_were_refused_are_listed_with_their_line(
    services: StubServices, municipio: Municipio, tmp_path: Path
) -> None:
    """Some refused is exit 1; the line is the file's own, heading included."""
    file = tmp_path / "residents.csv"
    file.write_text("person_id,zone\n" + "".join(f"p{i},z\n" for i in range(150)), encoding="utf-8")

    def answer(asked: Asked) -> dict[str, object]:
        rows = asked.body["residents"]
        refused = [{"index": 49, "field": "zone", "reason": "is unknown"}] if len(rows) == 50 else []
        return {"imported": len(rows) - len(refused), "refused": refused}

    services.on("POST", "/admin/v1/residents", answer)
    code, out, err = municipio("residents", "import", str(file))
    assert (1, "149 imported, 1 refused") == (code, out.strip())
    assert f"{file}:151: zone: is unknown" == err.strip()


def test_a_file_of_residents_that_cannot_be_read(municipio: Municipio, tmp_path: Path) -> None:
    """Unreadable is exit 2."""
    assert 2 == municipio("residents", "import", str(tmp_path / "none.csv"))[0]


def test_dead_letters_of_every_service_stand_in_one_list(
    services: StubServices, municipio: Municipio
) -> None:
    """Each row says whose it is."""
    services.on("GET", "/admin/v1/dead-letters", {"items": [{"id": 1, "reason": "not_json"}]})
    code, out, _ = municipio("dead-letters", "list", "--json")
    assert 0 == code
    assert ["ingest", "triage", "notify", "console"] == [row["service"] for row in json.loads(out)["items"]]


def test_help_is_there_for_every_command(municipio: Municipio) -> None:
    """``--help`` answers with 0 everywhere."""
    commands = """up, status, replay, decide, rulebook check, keys create, keys revoke, keys list, incidents,
        incidents list, incidents show, warnings, warnings list, warnings show, residents import,
        dead-letters list, console rebuild, console digest"""
    for command in commands.split(","):
        code, out, _ = municipio(*command.split(), "--help")
        assert 0 == code, command
        assert "--json" in out, command


def test_the_command_line_starts_without_what_only_services_need() -> None:
    """A command that only prints help imports neither SQLAlchemy nor the Kafka client."""
    heavy = ("sqlalchemy", "aiokafka", "faststream", "fastapi", "pydantic")
    loaded = f"[name for name in {heavy} if name in sys.modules]"
    code = f"import sys; from municipio.cli import run; run(['--help']); print({loaded})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize(
    "words",
    [
        ("--speed", "fast"),
        ("--from", "yesterday"),
        ("--to", "2024-05-01T00:00:00"),
        ("--profile", "ghost"),
        ("--municipality", "ghost"),
    ],
    ids=["speed", "no time", "naive time", "unknown profile", "unknown town"],
)
def test_a_replay_that_cannot_begin_says_why(
    municipio: Municipio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, str]
) -> None:
    """Nothing is played, and the option is named."""
    (tmp_path / "up.json").write_text(json.dumps({"town_clock_file": str(tmp_path / "clock.json")}))
    code, _, err = municipio("replay", "none.csv", "--data", str(tmp_path), *words)
    assert 2 == code
    assert words[1] in err


def test_without_a_town_clock_there_is_no_replay(municipio: Municipio, tmp_path: Path) -> None:
    """The real time of a town in production is never moved."""
    code, _, err = municipio("replay", "none.csv", "--data", str(tmp_path))
    assert 2 == code
    assert "town clock" in err


def test_console_is_made_again_and_says_what_it_holds(services: StubServices, municipio: Municipio) -> None:
    """The command returns when everything was read."""
    services.on("POST", "/admin/v1/rebuild", {}, 202)
    services.on("GET", "/admin/v1/status", {"lag": {"warnings": 0, "tasks": 0}})
    services.on("GET", "/v1/_digest", {"items": [{"collection": "event", "count": 1, "sha256_sum": "ab"}]})
    assert (0, True) == ((said := municipio("console", "rebuild", "--json"))[0], json.loads(said[1])["done"])
    assert "event" in municipio("console", "digest")[1]
