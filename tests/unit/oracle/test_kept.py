"""Each promise beside losses, broken on purpose: the oracle says so, and of a clean run nothing."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from schemas.events.warnings import ZoneText, content_hash
from tests.support.oracle import Evidence, Town, compare, find_mixing, read_town
from tests.support.oracle.kept import bound_hash
from tests.support.towns import write_town
from tests.unit.oracle.toy import HASH, RESIDENTS, TEXT, callback, row, sms

Json = dict[str, Any]
NEIGHBOUR = "+50370000099"


def violations(told: Json, town: Town) -> list[str]:
    return compare(Evidence.read(told), town).said["violations"]


def version_of(told: Json, version: int, **changed: object) -> Json:
    """Add another version of the warning, and return it."""
    words = {**copy.deepcopy(told["notify"]["warnings"][0]), "version": version, **changed}
    told["notify"]["warnings"].append(words)
    return words


def test_hash_is_the_one_that_is_signed(told: Json) -> None:
    """The oracle's own sum over the words is the one that an authorisation binds."""
    warning = told["notify"]["warnings"][0]
    texts = [ZoneText.model_validate({**words, "segments": 1}) for words in warning["texts"]]
    signed = content_hash(
        incident_id="i1", incident_version=1, zones=["z-001"], texts=texts, audience_digest="d1"
    )
    assert signed == bound_hash(warning) == HASH


def test_warning_that_lapsed(told: Json, town: Town) -> None:
    """Its time is over, nobody renewed or lifted it: a violation, whatever held the run up."""
    told["until"] = "2026-05-04T22:02:00-06:00"
    assert violations(told, town) == ["warning w1 version 1 lapsed and nobody renewed or lifted it"]
    told["held_up_s"] = 600
    assert len(violations(told, town)) == 1
    version_of(told, 2, state="lifted", at="2026-05-04T21:00:00-06:00")
    assert violations(told, town) == []


def test_renewal_after_the_end(told: Json, town: Town) -> None:
    """A renewal in time is none; one that came later left people without a warning in between."""
    renewed = version_of(told, 2, at="2026-05-04T21:55:00-06:00", valid_until="2026-05-05T04:00:00-06:00")
    told["until"] = "2026-05-04T23:00:00-06:00"
    assert violations(told, town) == []
    renewed["at"] = "2026-05-04T22:05:00-06:00"
    assert violations(told, town) == ["warning w1 version 1 lapsed before its renewal"]
    told["held_up_s"] = 600
    assert violations(told, town) == []


@pytest.mark.parametrize(
    "change",
    [
        {"authority": None},
        {"content_hash": "0" * 64},
        {"incident_version": 2},
        {"audience": {"digest": "d2"}},
    ],
    ids=["nobody signed", "another hash", "another incident version", "another audience"],
)
def test_text_without_an_authority(told: Json, town: Town, change: Json) -> None:
    """Both residents got words whose hash nobody stands behind."""
    told["notify"]["warnings"][0] |= change
    assert len(violations(told, town)) == len(RESIDENTS)


def test_other_words_than_were_signed(told: Json, town: Town) -> None:
    """The row has the right hash, but the carrier got another text."""
    told["ledger"][-1]["text"] = TEXT.replace("YA", "mañana")
    assert violations(told, town) == ["sms SM2 (warning): other words than were signed"]


def test_correction_to_one_never_told(told: Json, town: Town) -> None:
    """Whoever got the warning may be corrected; the third resident never got one."""
    version_of(told, 2, purpose="correction")
    stranger = town.residents["z-002-r1"]
    for at, phone in enumerate([town.residents["z-001-r1"], stranger]):
        correction = row(f"c.{at}", "z-001-r1", "warning") | {"purpose": "correction", "version": 2}
        told["notify"]["messages"].append(correction)
        told["ledger"].append(sms(f"SMc{at}", phone, TEXT, f"c.{at}"))
    assert violations(told, town) == ["sms SMc1 (correction) to a phone that was never told"]


@pytest.fixture
def two(told: Json, town: Town, tmp_path: Path) -> tuple[dict[str, Json], dict[str, Town]]:
    """The toy run, and its neighbour ``b``: the same phones, a run of its own, one ledger for both."""
    other = read_town(write_town(tmp_path, "b", zones=3, residents_per_zone=2, sender=NEIGHBOUR).folder)
    for entry in told["ledger"]:
        entry["sender"] = town.sender
    theirs = sms("SMb", other.people["ana"], "Responda SI 4711", "p.b") | {
        "status_callback": callback("p.b", "b"),
        "sender": NEIGHBOUR,
    }
    told["ledger"].append(theirs)
    quiet = {"sensors": {}, "incidents": []}
    page = row("p.b", "ana", "authority") | {"incident_id": "b1"}
    run_of_b = {"accepted": [], "triage": quiet, "notify": {"messages": [page]}, "ledger": told["ledger"]}
    return {"a": told, "b": run_of_b}, {"a": town, "b": other}


def mixed(two: tuple[dict[str, Json], dict[str, Town]]) -> list[str]:
    told, towns = two
    return find_mixing({town: Evidence.read(each) for town, each in told.items()}, towns)


def test_towns_that_stay_apart(two: tuple[dict[str, Json], dict[str, Town]]) -> None:
    """The same phones in two towns are no mixing."""
    assert mixed(two) == []


def test_message_held_by_both_towns(two: tuple[dict[str, Json], dict[str, Town]]) -> None:
    """The neighbour shows a message, and an incident, of ours."""
    two[0]["b"]["notify"]["messages"].append(row("p.ana", "ana", "authority"))
    two[0]["b"]["triage"]["incidents"].append(two[0]["a"]["triage"]["incidents"][0])
    assert mixed(two) == [
        "incident_id i1 stands in a and in b",
        "message_id p.ana stands in a and in b",
        "sms SM0 of a is a message of another town",
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sender": "+50370000000"}, "sms SMb of b came from a number that is not of it"),
        ({"text": "ALCALDIA DE A: agua"}, "sms SMb of b speaks for another town"),
        ({"phone": "+50370555555"}, "sms SMb of b went to a phone that is not of it"),
        ({"status_callback": callback("p.b", "c")}, "sms SMb is of a town that is not here"),
        ({"status_callback": callback("p.ana", "b")}, "sms SMb of b is a message of another town"),
    ],
    ids=["our number", "our name", "nobody's phone", "no town", "our message"],
)
def test_text_of_one_town_in_anothers_name(
    two: tuple[dict[str, Json], dict[str, Town]], change: Json, said: str
) -> None:
    """Each way in which a text may belong to two towns is seen."""
    two[0]["a"]["ledger"][-1] |= change
    assert mixed(two) == [said]
